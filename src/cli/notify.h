/*
 * notify.h - tells systemd (Type=notify) the state of the service.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_NOTIFY_H
#define ISX_NOTIFY_H

/* Send "READY=1" or "STOPPING=1" to $NOTIFY_SOCKET; does nothing if that is not set. */
void notify_supervisor(const char *state);

#endif
