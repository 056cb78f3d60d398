import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@pipecat-ai/voice-ui-kit/styles.css";
import "./style.css";
import { nameControls } from "./accessible-names.ts";
import { App } from "./app.tsx";

const root = document.getElementById("root");
if (root) {
  nameControls(root.ownerDocument.body);
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
