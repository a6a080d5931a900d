// Reads calls of the SDK from standard input, `[[API, method, arguments], …]`, and prints their results as JSON.
const { text } = require("node:stream/consumers");
const sdk = require("ctct-api-client");

async function call([api, method, args]) {
  const client = new sdk[api](new sdk.Configuration({ accessToken: process.env.RAPPORT_TOKEN }));
  try {
    const { status, data } = await client[method](...args.map((argument) => argument ?? undefined));
    return { status, data };
  } catch (error) {
    if (!error.response) throw error;
    return { status: error.response.status, data: error.response.data };
  }
}

async function main() {
  const results = [];
  for (const item of JSON.parse(await text(process.stdin))) results.push(await call(item));
  process.stdout.write(JSON.stringify(results));
}

main();
