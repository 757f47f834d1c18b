// A localStorage that outlives the process: an SDK keeps its device id there, and without it every
// start of Node is a new user of the platform.

import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Storage with the interface of the Web Storage standard, kept in a file; in memory without one. */
export class FileStorage {
  #path;
  #items;

  constructor(path) {
    this.#path = path;
    this.#items = new Map(Object.entries(path ? read(path) : {}));
  }

  get length() {
    return this.#items.size;
  }

  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key) {
    return this.#items.get(String(key)) ?? null;
  }

  setItem(key, value) {
    this.#items.set(String(key), String(value));
    this.#write();
  }

  removeItem(key) {
    if (this.#items.delete(String(key))) this.#write();
  }

  clear() {
    this.#items.clear();
    this.#write();
  }

  #write() {
    if (!this.#path) return;
    // The file is the old one or the new one, whenever the process is killed; it holds an identity.
    writeFileSync(`${this.#path}.new`, JSON.stringify(Object.fromEntries(this.#items)), {
      mode: 0o600,
    });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw new Error(`the storage file ${path} cannot be read: ${error.message}`);
  }
}
