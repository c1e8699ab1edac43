// Tells the device which passkeys of the person still count, so that it offers those
// that were removed no longer. Browsers that cannot be told are left alone.
"use strict";

const { accepted } = document.querySelector("[data-accepted]").dataset;
window.PublicKeyCredential?.signalAllAcceptedCredentials?.(JSON.parse(accepted)).catch(() => {});
