// The page's elements: touched only where something has changed, so that a frame costs little.

const numbers = new Intl.NumberFormat("en");

export const DASH = "\u2013";

export const byId = (id) => document.getElementById(id);

export const number = (value) =>
  value === null || value === undefined ? DASH : numbers.format(value);

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number for where there is little room. */
export const short = (value) => (value < 100_000 ? number(value) : compact.format(value));

/** A range of numbers, or the one that it comes to. */
export function range(low, high) {
  return low === high ? short(low) : `${short(low)}${DASH}${short(high)}`;
}

export const plural = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

/** Show a text, if it is another one. */
export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Set an attribute, or take it away with null, if that changes it. */
export function attribute(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

/** Set a custom property of the style sheet, if that changes it. */
export function property(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, value);
}

export function make(tag, name = "", words = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (words) element.textContent = words;
  return element;
}
