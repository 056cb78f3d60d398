"""Transcription for `scenarios.yaml`: the harness needs a service, and the bot speaks tones."""

from pipecat.frames.frames import TranscriptionFrame
from pipecat.services.stt_service import SegmentedSTTService


class ToneSTT(SegmentedSTTService):
    async def run_stt(self, audio):
        yield TranscriptionFrame(text="a tone", user_id="", timestamp="")


def create(config):
    return ToneSTT()
