// Runs in the environment of the node packages: each connects by the cluster's name and does its work.
// Arguments: the name and the port. Prints one line of JSON. Only the resolver is ours.
const [name, port] = [process.argv[2], Number(process.argv[3])];
const dns = require('dns');
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host === name ? '127.0.0.1' : host, options, done);

async function nodePostgres() {
  const { AuroraDSQLClient, AuroraDSQLPool } = require('@aws/aurora-dsql-node-postgres-connector');
  const client = new AuroraDSQLClient({ host: name, port, user: 'admin' });
  await client.connect();
  await client.query('CREATE TABLE by_node (id bigint PRIMARY KEY, v text)');
  await client.query('BEGIN');
  await client.query('INSERT INTO by_node VALUES ($1, $2)', [1, 'c']);
  await client.query('COMMIT');
  await client.end();
  const pool = new AuroraDSQLPool({ host: name, port, user: 'admin', max: 2 });
  const { rows } = await pool.query('SELECT * FROM by_node');
  await pool.end();
  return rows;
}

async function postgresJs() {
  const { DsqlSigner } = require('@aws-sdk/dsql-signer');
  const signer = new DsqlSigner({ hostname: name, region: name.split('.')[2] });
  return work(require('postgres')({
    host: name, port, user: 'admin', database: 'postgres', ssl: {}, max: 2,
    password: () => signer.getDbConnectAdminAuthToken(),
  }), 'by_postgresjs');
}

async function postgresJsConnector() {
  let connector;
  try {
    connector = require('@aws/aurora-dsql-postgresjs-connector');
  } catch {
    return 'not installed';
  }
  return work(connector.auroraDSQLPostgres({ host: name, port, username: 'admin', max: 2 }), 'by_connector');
}

async function work(sql, table) {
  await sql`CREATE TABLE ${sql(table)} (id bigint PRIMARY KEY, v text)`;
  await sql.begin((transaction) => transaction`INSERT INTO ${transaction(table)} VALUES (1, 'c')`);
  // The snapshot of a transaction is that of BEGIN, which postgres.js sends alone.
  const late = await sql.begin(async (transaction) => {
    await sql`UPDATE ${sql(table)} SET v = 'd' WHERE id = 1`;
    return transaction`SELECT v FROM ${transaction(table)}`;
  });
  await sql.end();
  return [late[0].v];
}

async function main() {
  const results = {};
  for (const run of [nodePostgres, postgresJs, postgresJsConnector]) {
    try {
      results[run.name] = await run();
    } catch (error) {
      results[run.name] = `${error.name}: ${error.message}`;
    }
  }
  console.log(JSON.stringify(results));
}

main();
