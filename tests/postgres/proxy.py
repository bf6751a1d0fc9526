"""A proxy in front of a server. It forwards a message and loses the answer, as a breaking connection does."""
import socket
import threading
import time


def prepared(text):
    """The bytes in a message that runs this statement: its name, a hash of its text (pg_conn.c)."""
    number = 0xCBF29CE484222325
    for byte in text.encode():
        number = (number ^ byte) * 0x100000001B3 % (1 << 64)
    return b"\0isx_%016x\0" % number


class Proxy:
    """`lose(words, times)`: the next messages with these words arrive, and their connections die.

    `trips` counts round trips: messages to the server, those as one that it gets without an answer between them, as a long
    one comes in several pieces. Answers come at `rate` bytes a second, if that is set. Messages with the words `held` wait
    for `release`, and `is_holding` tells that one does.
    """

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock, self.words, self.left, self.lost = threading.Lock(), b"", 0, 0
        self.trips, self.rate = 0, None
        self.held, self.is_holding, self.release = None, threading.Event(), threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def lose(self, words, times=1):
        with self.lock:
            self.words, self.left, self.lost = words, times, 0

    def is_lost(self, message):
        with self.lock:
            found = self.left > 0 and self.words in message
            self.left -= found
            self.lost += found
            return found

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            state = {"is_mute": False, "has_answered": True}
            for one, other, goes_up in ((client, server, True), (server, client, False)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.hand_on, args=(one, other, goes_up, state), daemon=True).start()

    def trickle(self, other, message, size=4096):
        for start in range(0, len(message), size):
            other.sendall(message[start:start + size])
            time.sleep(min(size, len(message)) / self.rate)

    def hand_on(self, one, other, goes_up, state):
        try:
            while message := one.recv(1 << 20):
                with self.lock:
                    self.trips += goes_up and state["has_answered"]
                    state["has_answered"] = not goes_up
                if goes_up and self.held and self.held in message:
                    self.is_holding.set()
                    self.release.wait()
                if goes_up and self.is_lost(message):
                    state["is_mute"] = True
                    other.sendall(message)
                    time.sleep(0.2)  # so that it is done
                    break
                if not goes_up and self.rate:
                    self.trickle(other, message)
                elif goes_up or not state["is_mute"]:
                    other.sendall(message)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
