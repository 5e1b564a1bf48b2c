import fc from 'fast-check';
import { canonical, digest, parseStrict, strictCanonical } from '../../../record/canonical';
import { RecordError } from '../../../record/errors';
import type { Json } from '../../../domain/json';

const refusal = (text: string): { code: string; position: number | null } => {
  try {
    parseStrict(text);
  } catch (error) {
    if (error instanceof RecordError) return { code: error.code, position: error.position };
    throw error;
  }
  throw new Error(`${text} was accepted`);
};

describe('canonical JSON (RFC 8785)', () => {
  test('the example of section 3.2.2', () => {
    const input = String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`;
    expect(canonical(JSON.parse(input) as Json)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"` + '\u20ac$' + String.raw`\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('the keys of section 3.2.3 are sorted by UTF-16 units', () => {
    const keys = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(canonical(keys)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
  });

  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('the number %s of appendix B is written %s', (bits, text) => {
    expect(canonical(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });

  test('what is not JSON is refused', () => {
    expect(() => canonical(Number.NaN)).toThrow('NaN is not a JSON number');
    expect(() => canonical(Number.POSITIVE_INFINITY)).toThrow(RecordError);
    expect(() => canonical({ a: undefined } as unknown as Json)).toThrow('A undefined is not a JSON value');
    expect(() => canonical('\udc00')).toThrow('half of a surrogate pair');
    expect(() => canonical({ ['\ud800']: 1 })).toThrow('half of a surrogate pair');
  });

  test('the order in which keys were written does not matter', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (members) => {
        expect(canonical(Object.fromEntries(Object.entries(members).reverse()))).toBe(canonical(members));
      }),
    );
  });

  test('a digest is the SHA-256 of the canonical text', () => {
    expect(digest({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});

describe('what is kept is what can be read back', () => {
  const code = (work: () => unknown): string => {
    try {
      work();
      return 'kept';
    } catch (error) {
      return error instanceof RecordError ? error.code : String(error);
    }
  };
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('\ud800', 'a\udc00', '\0', '__proto__'));
  const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(2 ** 53, -(2 ** 53), 2 ** 53 - 1));
  const value = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      number,
      fc.constantFrom(null, true, false),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(text, tie('value'), { maxKeys: 3 }),
    ),
  })).value;

  test('a value is refused exactly where a strict reader refuses its text, and else written alike', () => {
    fc.assert(
      fc.property(value, (given) => {
        const read = code(() => parseStrict(canonical(given)));
        expect(code(() => strictCanonical(given)) === 'kept').toBe(read === 'kept');
        if (read === 'kept') expect([strictCanonical(given), parseStrict(canonical(given))]).toEqual([canonical(given), JSON.parse(JSON.stringify(given))]);
      }),
    );
  });

  test.each([
    ['a\0b', 'nul_character'],
    [{ 'a\0': 1 }, 'nul_character'],
    [[2 ** 53], 'integer_too_large'],
    ['\ud800', 'lone_surrogate'],
    [Array.from({ length: 101 }).reduce<Json>((inner) => [inner], 1), 'too_deep'],
    [Array.from({ length: 100 }).reduce<Json>((inner) => [inner], 1), 'kept'],
  ])('%j: %s', (given, expected) => {
    expect([code(() => strictCanonical(given)), code(() => parseStrict(canonical(given)))]).toEqual([expected, expected]);
  });
});

describe('strict JSON', () => {
  test.each([
    ['{"a":1,"a":2}', 'duplicate_key', 7],
    [String.raw`{"a":1,"\u0061":2}`, 'duplicate_key', 7],
    ['{"a":{"b":1,"b":1}}', 'duplicate_key', 12],
    ['[9007199254740992]', 'integer_too_large', 1],
    ['-9007199254740993', 'integer_too_large', 0],
    ['9007199254740993.0', 'integer_too_large', 0],
    ['1e400', 'integer_too_large', 0],
    [String.raw`"\ud800"`, 'lone_surrogate', 1],
    [String.raw`"a\udc00"`, 'lone_surrogate', 2],
    [String.raw`"\ud800\u0041"`, 'lone_surrogate', 1],
    ['"\ud800"', 'lone_surrogate', 1],
    ['"\udfff\ud800"', 'lone_surrogate', 1],
    [String.raw`"\u0000"`, 'nul_character', 1],
    ['"\u0000"', 'nul_character', 1],
    ['', 'syntax', 0],
    ['{"a":1', 'syntax', 6],
    ['[1,]', 'syntax', 3],
    ['{"a" 1}', 'syntax', 5],
    ['01', 'syntax', 1],
    ['"\t"', 'syntax', 1],
    [String.raw`"\x"`, 'syntax', 1],
    ['"abc', 'syntax', 0],
    ['1 2', 'syntax', 2],
    ['nul', 'syntax', 0],
    ['+1', 'syntax', 0],
    ['.5', 'syntax', 0],
    ['{a:1}', 'syntax', 1],
    ['\ufeff1', 'syntax', 0],
    ['['.repeat(102), 'too_deep', 101],
  ])('%s is refused as %s at %i', (text, code, position) => {
    expect(refusal(text)).toEqual({ code, position });
  });

  test('the largest safe integers and every escape are read', () => {
    expect(parseStrict(String.raw` [9007199254740991, -9007199254740991, 1.5e3, "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00", {"__proto__": 1}] `)).toEqual([
      9007199254740991,
      -9007199254740991,
      1500,
      '"\\/\b\f\n\r\té😀',
      JSON.parse('{"__proto__": 1}'),
    ]);
  });

  const strictValue = fc.jsonValue({ depthSize: 'medium' }).filter((value) => {
    try {
      parseStrict(JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }) as fc.Arbitrary<Json>;

  test('what is accepted is read as JSON.parse reads it, and survives its canonical form', () => {
    fc.assert(
      fc.property(strictValue, (value) => {
        const text = JSON.stringify(value);
        expect(parseStrict(text)).toEqual(JSON.parse(text));
        expect(canonical(parseStrict(canonical(value)))).toBe(canonical(value));
      }),
    );
  });

  test('whatever is done to a text, nothing is accepted that JSON.parse refuses or reads otherwise', () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', ',', ':', '{', '}', '[', ']', '\\', '0', '-', 'e', '.', ' ', '\ud83d'))
      .map(([text, at, put]) => {
        const i = at % (text.length + 1);
        return text.slice(0, i) + put + text.slice(i + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        let read: Json;
        try {
          read = parseStrict(text);
        } catch (error) {
          expect(error).toBeInstanceOf(RecordError);
          return;
        }
        expect(read).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });
});
