/*
 * notify.h - tell the supervisor (systemd, Type=notify) how the service is.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_NOTIFY_H
#define ISX_NOTIFY_H

/* Send "READY=1" or "STOPPING=1" to $NOTIFY_SOCKET; nothing happens where that is not set. */
void notify_supervisor(const char *state);

#endif
