// Loaded before a client with `node --require`: changes the hosts that the client has built in, and nothing else.
const base = require("ctct-api-client/dist/base.js");
const oauth = require("./node_modules/@mattmaynes/ctct-cli/dist/lib/oauth.js");

const server = process.env.RAPPORT_URL;
base.BASE_PATH = `${server}/v3`;
oauth.DEVICE_AUTHORIZE_URL = `${server}/oauth2/default/v1/device/authorize`;
oauth.TOKEN_URL = `${server}/oauth2/default/v1/token`;
