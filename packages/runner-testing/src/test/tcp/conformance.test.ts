import { describeTransport } from "../../describe-transport.ts";
import { createTcpAdapter } from "./adapter.ts";

describeTransport(createTcpAdapter());
