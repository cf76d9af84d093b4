using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Api;

namespace BackupDr.Capacity;

/// <summary>Every list of the API and every page of the console over a long history.</summary>
static class History
{
    const int Hosts = 200, Rounds = 20;
    const double Limit = 300;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static async Task Run(string app, string folder, int runs, int points, CancellationToken ct)
    {
        await using var node = await Installation.Start(app, folder, ct);
        await using (var fleet = await Fleet.Join(node, Hosts, ct))
        {
            await fleet.Protect(node, ct);
            fleet.Begin();
            await Task.Delay(TimeSpan.FromSeconds(11), ct);   // every agent has begun
            await Fleet.Quiet(node, Patience, ct);
        }
        var begun = Stopwatch.GetTimestamp();
        await Fill(node, runs, points, ct);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{runs} runs and {points} recovery points written in "
            + $"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s"));
        await Measure(node, ct);
    }

    /// <summary>Copies of the runs and points that the agents made, spread over the past; ids begin with their time, as real
    /// ones do.</summary>
    static async Task Fill(Installation node, int runs, int points, CancellationToken ct)
    {
        const string id = """
            create function pg_temp.id_at(at timestamptz) returns uuid language sql volatile as $$
                select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
                    || '8' || substr(md5(random()::text), 1, 15))::uuid $$;
            """;
        await node.Ask<int>(string.Create(CultureInfo.InvariantCulture, $$"""
            {{id}}
            create temp table model as select r.*, row_number() over (order by r.id) - 1 as n from run r
                where r.kind = 'Backup' and r.state = 'Complete' limit 200;
            create temp table made as select pg_temp.id_at(at) as id, g, at, g % (select count(*) from model) as n
                from (select g, clock() - interval '1 day' - (g * interval '20 seconds') as at from generate_series(1, {{runs}}) g) x;
            insert into run (id, kind, state, title, item_id, policy_id, host_id, repository_id, nominal_at, due_at, created_at, started_at,
                finished_at, requested_by, job, lease_epoch, result)
            select d.id, m.kind, case when d.g % 50 = 0 then 'Failed' when d.g % 20 = 0 then 'Incomplete' else 'Complete' end, m.title,
                m.item_id,
                m.policy_id, m.host_id, m.repository_id, d.at, d.at, d.at, d.at + interval '1 second', d.at + interval '40 seconds',
                'schedule', m.job, 1, m.result
            from made d join model m on m.n = d.n;
            insert into run_event (run_id, seq, epoch, at, level, code, text)
            select d.id, s, 1, d.at, 'Info', 'run.leased', 'Taken by the agent (lease 1).' from made d, generate_series(1, 2) s;
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup)
            select pg_temp.id_at(d.at), m.item_id, m.repository_id, d.id, md5(d.id::text) || md5(d.id::text), d.at, d.at, true, p.backup
            from made d join model m on m.n = d.n join recovery_point p on p.run_id = m.id where d.g <= {{points}};
            insert into firing (policy_id, nominal_at, fired_at, runs)
                select policy_id, nominal_at, nominal_at, 1 from run where nominal_at > clock() - interval '35 days' on conflict do nothing;
            analyze;
            """), ct);
    }

    static async Task Measure(Installation node, CancellationToken ct)
    {
        using var api = node.Api();
        await api.CreateUser(new CreateUserRequest("measure", "measure-0123456789", [new RoleGrant("Admin")]), ct);
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        await node.Ask<int>("update person set must_change_password = false; insert into session (token_hash, person_id) "
            + $"select '\\x{hash}'::bytea, id from person where name = 'measure'", ct);
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = node.Console,
            Timeout = TimeSpan.FromMinutes(1),
        };
        http.DefaultRequestHeaders.Add("Cookie", $"backupdr={token}");
        Console.WriteLine("| p95 ms | median ms | KiB | of |\n|---|---|---|---|");
        var figures = new List<(double P95, double Median, long Bytes, string Path)>();
        foreach (var path in await Paths(node, ct)) figures.Add(await One(http, path, ct));
        foreach (var one in figures.OrderByDescending(one => one.P95))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {one.P95:0} | {one.Median:0} | {one.Bytes >> 10} | {one.Path} |"));
        Console.WriteLine($"{figures.Count(one => one.P95 >= Limit)} of {figures.Count} at {Limit} ms or more");
    }

    static async Task<(double, double, long, string)> One(HttpClient http, string path, CancellationToken ct)
    {
        var (times, bytes) = (new List<double>(), 0L);
        for (var round = 0; round <= Rounds; round++)
        {
            var begun = Stopwatch.GetTimestamp();
            using var response = await http.GetAsync(new Uri(path, UriKind.Relative), ct);
            bytes = (await response.Content.ReadAsByteArrayAsync(ct)).Length;
            if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{path}: {(int)response.StatusCode}");
            if (round > 0) times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);   // the first one compiles
        }
        times.Sort();
        return (times[(int)(0.95 * Rounds) - 1], times[Rounds / 2], bytes, path);
    }

    static async Task<List<string>> Paths(Installation node, CancellationToken ct)
    {
        async Task<string> Id(string prefix, string sql)
            => $"{prefix}_{await node.Ask<string>($"select replace(({sql})::text, '-', '')", ct)}";
        var (host, item, policy) = (await Id("host", "select host_id from item limit 1"), await Id("item", "select id from item limit 1"),
            await Id("pol", "select id from policy limit 1"));
        var (run, point) = (await Id("run", "select id from run where state = 'Complete' and kind = 'Backup' limit 1"),
            await Id("point", "select id from recovery_point limit 1"));
        var old = await Id("run", "select id from run order by id offset 1000 limit 1");
        return
        [
            "/api/v1/runs", $"/api/v1/runs?before={old}", "/api/v1/runs?state=Failed", "/api/v1/runs?state=Cancelled",
            "/api/v1/runs?kind=Restore",
            $"/api/v1/runs?item={item}", $"/api/v1/runs?host={host}", $"/api/v1/runs/{run}", $"/api/v1/runs/{run}/events", "/api/v1/points",
            $"/api/v1/points?item={item}", $"/api/v1/points/{point}", "/api/v1/items", "/api/v1/items/days", $"/api/v1/items/{item}",
            $"/api/v1/items/{item}/retention", $"/api/v1/items/{item}/log", "/api/v1/policies", $"/api/v1/policies/{policy}",
            $"/api/v1/policies/{policy}/versions", "/api/v1/hosts", $"/api/v1/hosts/{host}", $"/api/v1/hosts/{host}/restore-plan",
            "/api/v1/unprotected", "/api/v1/locations", "/api/v1/repositories", "/api/v1/safety", "/api/v1/alerts", "/api/v1/evidence",
            "/api/v1/audit", "/api/v1/users", "/api/v1/keys", "/api/v1/nodes", "/api/v1/control-plane", "/api/v1/recovery-kit",
            "/api/v1/metrics", "/", "/jobs", $"/jobs?host={host}", $"/jobs?item={item}", "/jobs?state=Failed", $"/runs/{run}",
            $"/runs/{run}/log",
            "/points", $"/points?item={item}", $"/points/{point}", "/items", $"/items/{item}", "/policies", $"/policies/{policy}",
            $"/policies/{policy}/edit", $"/policies/{policy}/report", "/agents", $"/agents/{host}", $"/agents/{host}/restore", "/storage",
            "/alerts", "/evidence", "/audit", "/nodes", "/restore", "/approvals", "/settings/users", "/settings/keys",
        ];
    }
}
