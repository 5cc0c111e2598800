import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawElements } from '../../../src/verifiers/raw-element.js';

describe('the raw text of an array element', () => {
  it('is what was written, number for number', () => {
    const json = '{"errors":["results",[1]],"results" : [ null, {"a":[14767482510784806043,"x]\\"},{"]} ,7 ] }';
    expect(rawElements(json, 'results')[0]).toBe('null');
    expect(rawElements(json, 'results')[1]).toBe('{"a":[14767482510784806043,"x]\\"},{"]}');
    expect(rawElements(json, 'results')[2]).toBe('7');
    expect(rawElements(json, 'results')[3]).toBeUndefined();
  });

  it('is null where there is no such array', () => {
    expect(rawElements('{}', 'results')[0]).toBeUndefined();
    expect(rawElements('{"results":[]}', 'results')[0]).toBeUndefined();
    expect(rawElements('{"results":{"a":1}}', 'results')[0]).toBeUndefined();
    expect(rawElements('{"a":{"results":[1]}}', 'results')[0]).toBeUndefined();
    expect(rawElements('[["results",1]]', 'results')[0]).toBeUndefined();
  });

  it('is of the last of several equal keys, as JSON.parse has it', () => {
    expect(rawElements('{"results":[1,2],"results":[3]}', 'results')[0]).toBe('3');
    expect(rawElements('{"results":[1,2],"results":[3]}', 'results')[1]).toBeUndefined();
    expect(rawElements('{"results":[1],"results":null}', 'results')[0]).toBeUndefined();
  });

  it('parses to the element, whatever is around it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.jsonValue(),
        fc.integer({ min: 0, max: 3 }),
        (results, other, indent) => {
          const json = JSON.stringify({ other, results, after: other }, null, indent);
          results.forEach((value, index) => {
            expect(JSON.parse(rawElements(json, 'results')[index] ?? '')).toEqual(JSON.parse(JSON.stringify(value)));
          });
          expect(rawElements(json, 'results')[results.length]).toBeUndefined();
        },
      ),
    );
  });
});
