/**
 * JSON as it was meant: refuses what two readers could understand differently (RFC 7493), so that no two texts share a value by accident.
 * Promises: a duplicate key, an integer beyond 2^53, half a surrogate pair or U+0000 is refused with its code and position.
 * Pure: imports no I/O and no Node built-ins.
 */
import type { Json } from '../domain/json';
import { RecordError, type RecordErrorCode } from './errors';

export const DEPTH_MAX = 100;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
/** Runs of characters that need no second look. */
const PLAIN = /[^"\\\u0000-\u001f\ud800-\udfff]*/y;
const ESCAPES: { readonly [letter: string]: string } = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const WORDS: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

class Reader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly depthMax: number,
  ) {}

  document(): Json {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('syntax', 'the value has ended, but more text follows; send one value');
    return value;
  }

  private fail(code: RecordErrorCode, what: string, at = this.at): never {
    throw new RecordError(code, `JSON at character ${String(at + 1)}: ${what}`, at);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  private space(): void {
    this.match(SPACE);
  }

  private take(symbol: string): boolean {
    if (!this.text.startsWith(symbol, this.at)) return false;
    this.at += symbol.length;
    return true;
  }

  private value(depth: number): Json {
    if (depth > this.depthMax) this.fail('too_deep', `nested more than ${String(this.depthMax)} deep; flatten it`);
    this.space();
    if (this.take('{')) return this.members(depth);
    if (this.take('[')) return this.items(depth);
    if (this.text[this.at] === '"') return this.string();
    for (const [word, value] of WORDS) if (this.take(word)) return value;
    return this.number();
  }

  private members(depth: number): Json {
    const members: { [key: string]: Json } = {};
    this.space();
    if (this.take('}')) return members;
    for (;;) {
      this.space();
      const start = this.at;
      if (this.text[start] !== '"') this.fail('syntax', 'a key in double quotes is expected');
      const key = this.string();
      if (Object.hasOwn(members, key)) this.fail('duplicate_key', `the key ${JSON.stringify(key)} appears twice in one object; keep one`, start);
      this.space();
      if (!this.take(':')) this.fail('syntax', 'a colon is expected after a key');
      // A plain assignment would lose the key `__proto__`.
      Object.defineProperty(members, key, { value: this.value(depth + 1), enumerable: true, configurable: true, writable: true });
      this.space();
      if (this.take('}')) return members;
      if (!this.take(',')) this.fail('syntax', 'a comma or a closing brace is expected');
    }
  }

  private items(depth: number): Json {
    const items: Json[] = [];
    this.space();
    if (this.take(']')) return items;
    for (;;) {
      items.push(this.value(depth + 1));
      this.space();
      if (this.take(']')) return items;
      if (!this.take(',')) this.fail('syntax', 'a comma or a closing bracket is expected');
    }
  }

  private number(): number {
    const start = this.at;
    const found = this.match(NUMBER);
    if (!found) this.fail('syntax', start >= this.text.length ? 'the text ends too early' : 'a value is expected');
    const value = Number(found[0]);
    // However it is spelled: 9007199254740993.0 and 9007199254740992e0 would be read as one value too.
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER)
      this.fail('integer_too_large', `${found[0].slice(0, 40)} is beyond 2^53 and would lose digits; send it as text`, start);
    return value;
  }

  private string(): string {
    const start = this.at;
    this.at += 1;
    let text = '';
    for (;;) {
      text += this.match(PLAIN)?.[0] ?? '';
      if (this.take('"')) return text;
      if (this.at >= this.text.length) this.fail('syntax', 'the text in quotes that began here has no end', start);
      text += this.take('\\') ? this.escape() : this.raw();
    }
  }

  private raw(): string {
    const start = this.at;
    const unit = this.text.charCodeAt(start);
    if (unit === 0) this.fail('nul_character', 'the character U+0000 cannot be kept; remove it');
    if (unit < 0x20) this.fail('syntax', 'a control character must be written as an escape');
    this.at += 2;
    return this.pair(unit, this.text.charCodeAt(start + 1), start);
  }

  private escape(): string {
    const start = this.at - 1;
    const letter = this.text[this.at] ?? '';
    this.at += 1;
    if (letter !== 'u') {
      const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (plain === undefined) this.fail('syntax', `\\${letter} is no escape of JSON`, start);
      return plain;
    }
    const unit = this.hex4(start);
    if (unit === 0) this.fail('nul_character', 'the character U+0000 cannot be kept; remove it', start);
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    return this.pair(unit, this.take('\\u') ? this.hex4(start) : Number.NaN, start);
  }

  private pair(high: number, low: number, start: number): string {
    const whole = high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
    if (!whole) this.fail('lone_surrogate', 'half of a surrogate pair; send well-formed Unicode', start);
    return String.fromCharCode(high, low);
  }

  private hex4(start: number): number {
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('syntax', 'four hexadecimal digits are expected after \\u', start);
    this.at += 4;
    return Number.parseInt(digits, 16);
  }
}

/** Reads one JSON value. The RFC 8259 grammar, less what RFC 7493 calls not interoperable. */
export const parseStrict = (text: string, depthMax = DEPTH_MAX): Json => new Reader(text, depthMax).document();
