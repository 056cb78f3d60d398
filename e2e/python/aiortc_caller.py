"""python aiortc_caller.py balanced|max-bundle http://HOST/api/offer HEARD.wav

Calls a bot with aiortc and a bundle policy: audio, camera, screen and a data channel. Speaks a tone, writes what it hears to HEARD.wav, renegotiates
when the bot asks for it, and prints the received messages as a JSON list.
"""

import asyncio
import contextlib
import fractions
import json
import sys
import time
import urllib.request

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from recording import CLIENT_READY, INTERRUPT, SEND_TEXT, tone, write_wav

RATE = 48_000
policy, url, heard_file = sys.argv[1:]


class Microphone(MediaStreamTrack):
    kind = "audio"

    def __init__(self):
        super().__init__()
        self.count = 0
        self.started = time.monotonic()

    async def recv(self):
        await asyncio.sleep(max(0, self.started + self.count * 0.02 - time.monotonic()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(tone(self.count * 960, 960, RATE))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count * 960, fractions.Fraction(1, RATE)
        self.count += 1
        return frame


class Call:
    def __init__(self):
        self.connection = RTCPeerConnection(RTCConfiguration(bundlePolicy=RTCBundlePolicy(policy)))
        self.heard = bytearray()
        self.messages = []
        self.pc_id = None
        self.negotiating = asyncio.Lock()
        self.tasks = set()
        self.connection.addTrack(Microphone())
        self.connection.addTransceiver(VideoStreamTrack(), direction="sendrecv")
        self.connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
        self.channel = self.connection.createDataChannel("chat")
        self.channel.on("open", self.opened)
        self.channel.on("message", self.received)
        self.connection.on("track", lambda track: track.kind == "audio" and self.run(self.listen(track)))

    def run(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send(self, message):
        self.channel.send(json.dumps(message))

    def opened(self):
        self.channel.send(f"ping: {int(time.time() * 1000)}")
        for index in range(3):
            status = {"type": "trackStatus", "receiver_index": index, "enabled": True}
            self.send({"type": "signalling", "message": status})
        self.send(CLIENT_READY)
        self.send(SEND_TEXT)

    def received(self, text):
        message = json.loads(text)
        self.messages.append(message)
        if message["type"] == "signalling" and message["message"]["type"] == "renegotiate":
            self.run(self.negotiate())

    async def listen(self, track):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        with contextlib.suppress(MediaStreamError):  # the end of the call
            while True:
                for frame in resampler.resample(await track.recv()):
                    self.heard += bytes(frame.planes[0])[: frame.samples * 2]

    async def negotiate(self):
        async with self.negotiating:
            await self.connection.setLocalDescription(await self.connection.createOffer())
            offer = {"sdp": self.connection.localDescription.sdp, "type": "offer", "pc_id": self.pc_id}
            request = urllib.request.Request(url, json.dumps(offer).encode(), {"content-type": "application/json"})
            answer = json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(request).read()))
            self.pc_id = answer["pc_id"]
            await self.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))


async def main():
    call = Call()
    await call.negotiate()
    await asyncio.sleep(6)
    call.send(INTERRUPT)
    await asyncio.sleep(1)
    await call.connection.close()
    write_wav(heard_file, call.heard, RATE)
    print(json.dumps(call.messages))


asyncio.run(main())
