import { describeTransport } from "../describe-transport.ts";
import { createPhoneAdapter } from "./phone/caller.ts";
import { acme, bell } from "./phone/dialect.ts";
import { createTcpAdapter } from "./tcp/caller.ts";

describeTransport(createTcpAdapter());
describeTransport(createPhoneAdapter(acme));
// A carrier whose calls start with its webhook only.
describeTransport({ ...createPhoneAdapter(bell), start: false });
