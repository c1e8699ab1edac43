// Asks the device for a passkey, or for a new one, and sends the answer by the
// form that carries data-passkey. Its options stand in the page or are asked for.
"use strict";

const form = document.querySelector("form[data-passkey]");
const button = form.querySelector("[data-press]");
const say = form.querySelector("[data-say]");

// Buffers travel as base64url. The browsers' own parse...FromJSON and toJSON came
// too late to be relied on (Safari 18.4).
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function fromJSON(options) {
  const keys = (list) => (list || []).map((key) => ({ ...key, id: bytes(key.id) }));
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) {
    read.user = { ...options.user, id: bytes(options.user.id) };
    read.excludeCredentials = keys(options.excludeCredentials);
  } else {
    read.allowCredentials = keys(options.allowCredentials);
  }
  return read;
}

function toJSON(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment || undefined,
    clientExtensionResults: credential.getClientExtensionResults(), response,
  });
}

// question returns the options and the ceremony that they belong to.
async function question() {
  if (form.dataset.options) return { options: JSON.parse(form.dataset.options), ceremony: form.elements.ceremony.value };
  const answer = await fetch(form.dataset.ask, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

// By the prototype's method: what else the form asks for need not be filled in.
function send(ceremony, credential) {
  form.elements.ceremony.value = ceremony;
  form.elements.response.value = toJSON(credential);
  HTMLFormElement.prototype.submit.call(form);
}

let offered = null; // what the list of the username field waits for
let renewal = 0;
let renewals = 15; // an hour; then the flow is over as well

async function press() {
  offered?.abort();
  clearTimeout(renewal);
  button.disabled = true;
  say.textContent = "";
  try {
    const { options, ceremony } = await question();
    const publicKey = fromJSON(options);
    send(ceremony, await (form.dataset.passkey === "create"
      ? navigator.credentials.create({ publicKey })
      : navigator.credentials.get({ publicKey })));
  } catch (error) {
    button.disabled = false;
    say.textContent = error.name === "InvalidStateError" && say.dataset.known || say.dataset.failed;
    offer();
  }
}

// offer shows the passkeys in the list of the username field. The question is
// renewed before it is too old to be answered.
async function offer() {
  if (!form.dataset.ask || renewals-- === 0) return;
  if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
  const mine = offered = new AbortController();
  renewal = setTimeout(() => { mine.abort(); offer(); }, 4 * 60 * 1000);
  try {
    const { options, ceremony } = await question();
    const credential = await navigator.credentials.get({
      publicKey: fromJSON(options), mediation: "conditional", signal: mine.signal,
    });
    send(ceremony, credential);
  } catch {
    // Aborted or not wanted: the button and the password are there.
  }
}

if (window.PublicKeyCredential) {
  button.hidden = false;
  button.addEventListener("click", press);
  form.hidden = false;
  const needs = form.querySelector("[data-needs]");
  if (needs) needs.hidden = true;
  // Tells the form of the password that a passkey can be kept here, and so be offered.
  const able = document.querySelector("[data-able]");
  if (able) PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().then((yes) => { able.value = yes ? "1" : ""; }, () => {});
  const { unknown, rp } = form.dataset;
  if (unknown) PublicKeyCredential.signalUnknownCredential?.({ rpId: rp, credentialId: unknown }).catch(() => {});
  offer();
}
