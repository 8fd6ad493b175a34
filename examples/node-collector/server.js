// Takes measurements of sensors and answers with their mean.
import fastify from 'fastify';

const server = fastify();
const readings = new Map();

const reading = {
  type: 'object',
  required: ['sensor', 'value'],
  properties: { sensor: { type: 'string' }, value: { type: 'number' } },
};

server.post('/readings', { schema: { body: reading } }, async (request, reply) => {
  const { sensor, value } = request.body;
  const known = readings.get(sensor) ?? { count: 0, sum: 0 };
  readings.set(sensor, { count: known.count + 1, sum: known.sum + value });
  return reply.code(204).send();
});

server.get('/means', async () =>
  Object.fromEntries([...readings].map(([sensor, { count, sum }]) => [sensor, sum / count])));

server.get('/healthz', async () => 'ok\n');

await server.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 8080) });
