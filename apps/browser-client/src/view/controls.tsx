import { useEffect, useRef, useState } from "react";
import { type CallState, isInCall } from "../call/call-state.ts";
import type { Phone } from "../phone.ts";
import { Icon, type IconName } from "./icons.tsx";
import { MicrophoneLevel } from "./levels.tsx";

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/** The controls of a call. The row keeps its height before and after a call. */
export function Controls({ phone, state }: { readonly phone: Phone; readonly state: CallState }) {
  const [showsKeys, setShowsKeys] = useState(false);
  const { phase, muted, microphones, microphoneId, keypad, camera, screen } = state;
  const inCall = isInCall(phase);
  const opened = microphones.length > 0 && phase !== "idle" && phase !== "ended";
  const call = phone.call;
  return (
    <>
      <div className="microphone-row">
        {opened ? (
          <IconButton
            name={muted ? "Unmute the microphone" : "Mute the microphone"}
            icon={muted ? "microphoneOff" : "microphone"}
            pressed={muted}
            onClick={() => call?.mute(!muted)}
          />
        ) : (
          <span className="icon-place">
            <Icon name="microphone" />
          </span>
        )}
        <MicrophoneLevel phone={phone} />
      </div>
      <div className="controls">
        {opened && (
          <select
            className="select microphone"
            aria-label="Choose a microphone"
            value={microphoneId}
            onChange={(event) => call?.chooseMicrophone(event.currentTarget.value)}
          >
            {microphones.map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        )}
        {inCall && state.acceptsInterrupt && (
          <IconButton name="Interrupt" icon="stop" onClick={() => call?.interrupt()} />
        )}
        {inCall && keypad && (
          <IconButton
            name={showsKeys ? "Close keypad" : "Open keypad"}
            icon="keypad"
            pressed={showsKeys}
            onClick={() => setShowsKeys(!showsKeys)}
          />
        )}
        {state.acceptsCamera && (
          <IconButton
            name={camera ? "Turn the camera off" : "Turn the camera on"}
            icon="camera"
            pressed={camera !== undefined}
            onClick={() => call?.showCamera(camera === undefined)}
          />
        )}
        {state.acceptsScreen && (
          <IconButton
            name={screen ? "Stop sharing the screen" : "Share the screen"}
            icon="screen"
            pressed={screen}
            onClick={() => call?.shareScreen(!screen)}
          />
        )}
      </div>
      {inCall && keypad && showsKeys && (
        <fieldset className="keypad">
          <legend className="visually-hidden">Keypad</legend>
          {keys.map((key) => (
            <button
              key={key}
              type="button"
              className="button"
              aria-label={`DTMF ${key}`}
              onClick={() => call?.pressKey(key)}
            >
              {key}
            </button>
          ))}
        </fieldset>
      )}
      {camera && <Preview track={camera} />}
    </>
  );
}

function IconButton(props: {
  readonly name: string;
  readonly icon: IconName;
  readonly pressed?: boolean;
  readonly onClick: () => void;
}) {
  const { name, icon, pressed = false, onClick } = props;
  return (
    <button
      type="button"
      className={`icon-button ${pressed ? "pressed" : ""}`}
      aria-label={name}
      title={name}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** What the caller's camera shows. */
function Preview({ track }: { readonly track: MediaStreamTrack }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = new MediaStream([track]);
  }, [track]);
  return <video ref={video} className="preview" aria-label="Your camera" autoPlay muted playsInline />;
}
