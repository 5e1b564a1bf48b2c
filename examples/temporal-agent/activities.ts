/** What the sample agent does in the world. A real one calls its billing system here, with the decision token. */

export interface RefundActivities {
  issueRefund(refund: { readonly order: string; readonly cents: number; readonly token: string }): Promise<void>;
  logRefusal(refusal: { readonly order: string; readonly path: string; readonly why: string }): Promise<void>;
}

/** Prints instead of paying. */
export const printing = (print: (line: string) => void): RefundActivities => ({
  issueRefund: ({ order, cents }) => Promise.resolve(print(`refunded USD ${(cents / 100).toFixed(2)} for order ${order}`)),
  logRefusal: ({ order, path, why }) => Promise.resolve(print(`no refund for order ${order}: ${why}; ${path}`)),
});
