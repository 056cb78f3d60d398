import { describeTransport } from "../../describe-transport.ts";
import { createPhoneAdapter } from "./adapter.ts";
import { acme, bell } from "./dialect.ts";

describeTransport(createPhoneAdapter(acme));
// One whose calls begin by its webhook alone.
describeTransport({ ...createPhoneAdapter(bell), start: false });
