"""The counterpart of `bot.ts` on Pipecat's own runner."""

import json

from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import CallData, DailyRunnerArguments, LiveKitRunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams


class Echo(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            frame = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
        await self.push_frame(frame, direction)


def phone():
    return FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True)


def page():
    params = phone()
    params.serializer = ProtobufFrameSerializer()
    return params


transports = {
    "exotel": phone,
    "plivo": phone,
    "telnyx": phone,
    "twilio": phone,
    "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    "websocket": page,
}


def describe(value):
    """JSON, with `object` for what JSON cannot express."""
    if isinstance(value, CallData):
        return describe(value.model_dump(by_alias=True))
    if isinstance(value, dict):
        return {name: describe(item) for name, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return [describe(item) for item in value] if isinstance(value, list) else "object"


def report(args):
    fields = {**vars(args), "transport": type(args).__name__, "cli_args": vars(args.cli_args)}
    print(f"parity-arguments {json.dumps(describe(fields))}", flush=True)


async def bot(args):
    if isinstance(args, (DailyRunnerArguments, LiveKitRunnerArguments)):
        report(args)  # It does not join the room.
        return
    try:
        transport = await create_transport(args, transports)
    finally:
        report(args)  # `create_transport` sets `call_data`, and then rejects a carrier without credentials.
    task = PipelineTask(Pipeline([transport.input(), Echo(), transport.output()]))

    @transport.event_handler("on_client_disconnected")
    async def disconnected(_transport, _client):
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


if __name__ == "__main__":
    from pipecat.runner.run import main

    main()
