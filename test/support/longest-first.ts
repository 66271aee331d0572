/** The order of test files: what takes longest begins first, so that nothing long is left alone at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Project after project, whose files share worker processes. The short unit tests come last. */
const PROJECTS = ['cache off', 'integration', 'unit'];
/**
 * Files that take long for their size, because they wait for timeouts of Temporal's; the second leaves the machine to the
 * first, which starts many processes. All others begin in the order of their sizes.
 */
const LONG = ['crash', 'retention'];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ project, moduleId }: TestSpecification): number {
  const long = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return PROJECTS.indexOf(project.name) * 100 + (long === -1 ? LONG.length : long);
}
