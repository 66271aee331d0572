/**
 * Which resource each name stands for, over everything that names one: sensors, activities, other resources.
 *
 * The name decides which config an instance gets and who shares it, so in one place a name means one definition.
 */
import { checkDependency, checkResource, type ResourceDefinition, type Resources } from './define-resource.js';
import { DefinitionError, quote } from './errors.js';
import { isObject } from './json.js';

/** Something that names resources. */
export interface ResourceUse {
  /** How errors name it, such as `sensor 'orders'`. */
  readonly place: string;
  readonly resources: Resources;
}

interface Found {
  readonly definition: ResourceDefinition;
  readonly place: string;
}

/**
 * Every resource that is used, directly or by another resource.
 *
 * @throws {@link DefinitionError} for what is no resource, a name with two meanings, and circular dependencies
 */
export function collectResources(uses: readonly ResourceUse[]): ReadonlyMap<string, ResourceDefinition> {
  const found = new Map<string, Found>();
  for (const { place, resources } of uses) {
    if (typeof resources !== 'object' || resources === null) {
      throw new DefinitionError(`${place}: resources is ${quote(resources)}; accepted: resources by name`);
    }
    for (const [name, definition] of Object.entries(resources)) {
      checkResource(definition, `${place}: resources.${name}`);
      collect(name, { definition, place }, [], found);
    }
  }
  return new Map([...found].map(([name, { definition }]) => [name, definition]));
}

function collect(
  name: string,
  { definition, place }: Found,
  above: readonly (readonly [name: string, definition: ResourceDefinition])[],
  found: Map<string, Found>
): void {
  const path = [...above, [name, definition] as const];
  const start = above.findIndex(([, other]) => other === definition);
  if (start >= 0) {
    const circle = path.slice(start).map(([each]) => each);
    throw new DefinitionError(
      `${place}: resources depend on each other in a circle: ${circle.join(' → ')}; remove one of these dependencies`
    );
  }
  const known = found.get(name);
  if (known !== undefined && known.definition !== definition) {
    throw new DefinitionError(
      `the name '${name}' stands for two different resources: one in ${known.place}, another in ${place}; rename one of them`
    );
  }
  if (known !== undefined) return;
  found.set(name, { definition, place });
  for (const [dependency, value] of Object.entries(definition.dependsOn)) {
    checkDependency(dependency, value, definition.scope, `resource '${name}' (${place})`);
    collect(dependency, { definition: value, place: `dependsOn of resource '${name}'` }, path, found);
  }
}

/**
 * @throws {@link DefinitionError} for config of a resource that nothing uses, or that takes none
 */
export function checkResourceConfig(
  config: unknown,
  definitions: ReadonlyMap<string, ResourceDefinition>,
  place: string
): void {
  if (!isObject(config)) {
    throw new DefinitionError(`${place} is not an object; accepted: config by the name of its resource`);
  }
  for (const name of Object.keys(config)) {
    const definition = definitions.get(name);
    if (definition === undefined) {
      const names = [...definitions.keys()].map((each) => `'${each}'`).join(', ') || 'none, since nothing uses one';
      throw new DefinitionError(`${place} has an unknown resource '${name}'; accepted: ${names}`);
    }
    if (definition.config === undefined) {
      throw new DefinitionError(`${place}: resource '${name}' takes no config; give its definition a schema: config`);
    }
  }
}
