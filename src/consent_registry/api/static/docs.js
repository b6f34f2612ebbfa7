// Shows the interface's description. Nothing is loaded from, or sent to, another host.
"use strict";
SwaggerUIBundle({
  url: "/openapi/openapi.json",
  dom_id: "#description",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
