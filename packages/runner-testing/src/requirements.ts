import type { Requirement } from "./requirement.ts";
import { checking } from "./requirements/checking.ts";
import { endings } from "./requirements/endings.ts";
import { failing } from "./requirements/failing.ts";
import { hearing } from "./requirements/hearing.ts";
import { importing } from "./requirements/importing.ts";
import { interrupting } from "./requirements/interrupting.ts";
import { isolating } from "./requirements/isolating.ts";
import { leavingOpen } from "./requirements/leaving-open.ts";
import { messaging } from "./requirements/messaging.ts";
import { secrets } from "./requirements/secrets.ts";
import { speaking } from "./requirements/speaking.ts";
import { starting } from "./requirements/starting.ts";
import { stopping } from "./requirements/stopping.ts";

/** Everything that a transport must do, in the order in which a report tells it. */
export const requirements: readonly Requirement[] = [
  ...importing,
  ...checking,
  ...starting,
  ...hearing,
  ...speaking,
  ...interrupting,
  ...messaging,
  ...endings,
  ...failing,
  ...isolating,
  ...stopping,
  ...leavingOpen,
  ...secrets,
];
