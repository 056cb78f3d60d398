import { describeTransport } from "../../describe-transport.ts";
import { createPhoneAdapter } from "./adapter.ts";
import { acme, bell } from "./dialect.ts";

describeTransport(createPhoneAdapter(acme));
describeTransport(createPhoneAdapter(bell));
