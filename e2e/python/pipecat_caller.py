"""python pipecat_caller.py websocket|rtvi ws://HOST/ws-client HEARD.wav

Calls a bot with Pipecat's `WebsocketClientTransport` or `RTVIClientTransport`, both with their default params and audio. Speaks a
tone, writes what it hears to HEARD.wav, and prints the names of the received frames as a JSON list: messages with their type, and
text with its words.
"""

import asyncio
import json
import sys

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.websocket.client import WebsocketClientParams, WebsocketClientTransport
from pipecat.transports.websocket.rtvi_client import RTVIClientTransport
from pipecat.workers.runner import WorkerRunner
from recording import CLIENT_READY, INTERRUPT, SAMPLE_RATE, SEND_TEXT, tone, write_wav

kind, url, heard_file = sys.argv[1:]
logger.remove()
logger.add(sys.stderr, level="WARNING")


class Recorder(FrameProcessor):
    def __init__(self):
        super().__init__()
        self.heard = bytearray()
        self.heard_rate = SAMPLE_RATE
        self.names = []

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.heard += frame.audio
            self.heard_rate = frame.sample_rate
            return
        name = type(frame).__name__
        if isinstance(frame, InputTransportMessageFrame):
            name = frame.message["type"]
        elif isinstance(frame, LLMTextFrame):
            name = f"{name}: {frame.text}"
        self.names.append(name)
        await self.push_frame(frame, direction)


async def main():
    params = WebsocketClientParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_sample_rate=SAMPLE_RATE)
    transport = (WebsocketClientTransport if kind == "websocket" else RTVIClientTransport)(url, params)
    recorder = Recorder()
    worker = PipelineWorker(
        Pipeline([transport.input(), recorder, transport.output()]), enable_rtvi=False, cancel_on_idle_timeout=False
    )
    if kind == "rtvi":
        transport.event_handler("on_bot_ready")(on_bot_ready(recorder))

    async def call():
        # RTVIClientTransport sends `client-ready` itself.
        messages = [CLIENT_READY, SEND_TEXT] if kind == "websocket" else [SEND_TEXT]
        await asyncio.sleep(1)
        await worker.queue_frames([OutputTransportMessageUrgentFrame(message=message) for message in messages])
        for start in range(0, 4 * SAMPLE_RATE, 640):
            audio = tone(start, 640, SAMPLE_RATE)
            await worker.queue_frame(OutputAudioRawFrame(audio=audio, sample_rate=SAMPLE_RATE, num_channels=1))
        await asyncio.sleep(3)
        await worker.queue_frame(OutputTransportMessageUrgentFrame(message=INTERRUPT))
        await asyncio.sleep(2.5)
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), call())
    write_wav(heard_file, recorder.heard, recorder.heard_rate)
    print(json.dumps(recorder.names))


def on_bot_ready(recorder: Recorder):
    async def handler(_transport):
        recorder.names.append("bot-ready")

    return handler


asyncio.run(main())
