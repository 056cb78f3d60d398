"""What both callers share: a tone as microphone, and a WAV file of what they hear."""

import math
import struct
import wave

SAMPLE_RATE = 16_000
TONE_HZ = 440


def tone(start: int, length: int, sample_rate: int) -> bytes:
    """`length` samples of the tone in PCM16, from sample `start`."""
    samples = (8_000 * math.sin(2 * math.pi * TONE_HZ * n / sample_rate) for n in range(start, start + length))
    return struct.pack(f"<{length}h", *map(int, samples))


def write_wav(file: str, audio: bytes, sample_rate: int) -> None:
    """Writes mono PCM16."""
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(audio)


def rtvi(type: str, data: dict) -> dict:
    return {"label": "rtvi-ai", "type": type, "id": type, "data": data}


CLIENT_READY = rtvi("client-ready", {"version": "2.2.0", "about": {"library": "pipecat"}})
SEND_TEXT = rtvi("send-text", {"content": "hello"})
INTERRUPT = rtvi("client-message", {"t": "interrupt"})
