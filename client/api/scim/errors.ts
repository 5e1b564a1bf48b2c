/**
 * What an identity provider is told when something is refused (RFC 7644, section 3.12).
 * Pure: imports nothing.
 */
type ScimType = 'invalidFilter' | 'invalidPath' | 'invalidSyntax' | 'invalidValue' | 'mutability' | 'noTarget' | 'tooMany' | 'uniqueness';

export class ScimError extends Error {
  override readonly name = 'ScimError';

  constructor(
    readonly status: number,
    readonly scimType: ScimType | null,
    /** One sentence: what, where, how to mend it. */
    detail: string,
    options?: ErrorOptions,
  ) {
    super(detail, options);
  }
}

export const invalid = (detail: string): ScimError => new ScimError(400, 'invalidValue', detail);

export const noSuch = (what: 'user' | 'group'): ScimError => new ScimError(404, null, `There is no such ${what}, or it was deleted`);

export const errorBody = (status: number, scimType: ScimType | null, detail: string): object => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
  status: String(status),
  ...(scimType === null ? {} : { scimType }),
  detail,
});
