/** Money is exact, and never compared across currencies. */
import fc from 'fast-check';
import { compareMoney, CurrencyMismatch, decimalsOf, formatMoney, isMoney } from '../../../domain/money';

describe('formatting money', () => {
  it.each([
    [{ minor: 125_000, currency: 'USD' }, 'USD 1,250.00'],
    [{ minor: 5, currency: 'USD' }, 'USD 0.05'],
    [{ minor: 0, currency: 'USD' }, 'USD 0.00'],
    [{ minor: -123_456_789, currency: 'EUR' }, 'EUR -1,234,567.89'],
    [{ minor: 99_999, currency: 'USD' }, 'USD 999.99'],
    [{ minor: 1_234_567, currency: 'JPY' }, 'JPY 1,234,567'],
    [{ minor: 1_234, currency: 'KWD' }, 'KWD 1.234'],
    [{ minor: 7, currency: 'KWD' }, 'KWD 0.007'],
  ])('%j reads %s', (money, text) => {
    expect(formatMoney(money)).toBe(text);
  });

  it('loses nothing: the digits are the minor units', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.constantFrom('USD', 'JPY', 'KWD'), (minor, currency) => {
        const digits = formatMoney({ minor, currency }).replace(/[^\d-]/g, '');
        return BigInt(digits) === BigInt(minor);
      }),
    );
  });

  it('knows the decimals of a currency, and takes a hundredth for one it does not know', () => {
    expect([decimalsOf('JPY'), decimalsOf('BHD'), decimalsOf('USD'), decimalsOf('XYZ')]).toEqual([0, 3, 2, 2]);
  });
});

describe('comparing money', () => {
  it('is exact to the minor unit', () => {
    expect(compareMoney({ minor: 25_000, currency: 'USD' }, { minor: 25_000, currency: 'USD' })).toBe(0);
    expect(compareMoney({ minor: 25_001, currency: 'USD' }, { minor: 25_000, currency: 'USD' })).toBeGreaterThan(0);
    expect(compareMoney({ minor: 24_999, currency: 'USD' }, { minor: 25_000, currency: 'USD' })).toBeLessThan(0);
  });

  it('across currencies is an error that names both', () => {
    const compare = (): number => compareMoney({ minor: 1, currency: 'USD' }, { minor: 1, currency: 'EUR' });
    expect(compare).toThrow(CurrencyMismatch);
    expect(compare).toThrow('USD and EUR are different currencies and cannot be compared; state both amounts in one currency');
  });
});

describe('what is money', () => {
  it.each([
    [{ minor: 1, currency: 'USD' }, true],
    [{ minor: -1, currency: 'USD' }, true],
    [{ minor: 1.5, currency: 'USD' }, false],
    [{ minor: 2 ** 53, currency: 'USD' }, false],
    [{ minor: '1', currency: 'USD' }, false],
    [{ minor: 1, currency: 'usd' }, false],
    [{ minor: 1, currency: 'USDX' }, false],
    [{ minor: 1 }, false],
    [{ minor: 1, currency: 'USD', note: 'x' }, false],
    [null, false],
    [[1, 'USD'], false],
    ['USD 1.00', false],
  ])('%j: %p', (value, expected) => {
    expect(isMoney(value)).toBe(expected);
  });
});
