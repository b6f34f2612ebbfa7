// Shows the interface's description and lets its reader try it. Nothing is loaded from, or sent to, another host.
"use strict";

// Swagger UI has dark colours of its own, for a page with this class.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const freshKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");

async function show() {
  const spec = await (await fetch("/openapi/openapi.json")).json();
  const parameters = Object.values(spec.paths).flatMap(Object.values).flatMap((one) => one.parameters ?? []);
  const proposed = parameters.find((one) => one.name === "Idempotency-Key").example;
  SwaggerUIBundle({
    spec,
    dom_id: "#description",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    // The key that the page proposes would be the same for every call. Whoever writes another one keeps it, and can
    // see what becomes of the same call sent twice.
    requestInterceptor: (request) => {
      if (request.headers["Idempotency-Key"] === proposed) request.headers["Idempotency-Key"] = freshKey();
      return request;
    },
  });
}
show();

// Swagger UI gives neither its text area a name nor what scrolls a place in the order of the keyboard.
new MutationObserver(() => {
  for (const one of document.querySelectorAll("#description textarea:not([aria-label])")) one.setAttribute("aria-label", "Request body");
  for (const one of document.querySelectorAll("#description pre:not([tabindex])")) one.tabIndex = 0;
}).observe(document.getElementById("description"), { childList: true, subtree: true });
