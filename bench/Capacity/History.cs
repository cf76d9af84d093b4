using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Api;

namespace BackupDr.Capacity;

/// <summary>Every list of the API and every page of the console over a long history.</summary>
static class History
{
    const int Hosts = 200, Rounds = 20;
    const double Limit = 300;
    const string Far = "00000000-0000-7000-8000-000000000001";
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
            -- One point in a hundred was restored as a test. All lie in a second place too, but for those of the last two days.
            update recovery_point set proof = 'Proven', proof_at = received_at + interval '1 hour', proof_run_id = run_id,
                proof_restore_seconds = 60 where id in (select id from recovery_point order by id desc limit 2000 offset 500)
                or hashtext(id::text) % 100 = 0;
            insert into location (id, name, kind, path) values ('{{Far}}', 'Far away', 'Folder', '/srv/far');
            insert into replica (repository_id, location_id, url) select id, '{{Far}}', '/srv/far/' || id from repository;
            insert into recovery_point_place (point_id, location_id)
                select p.id, r.location_id from recovery_point p join repository r on r.id = p.repository_id on conflict do nothing;
            insert into recovery_point_place (point_id, location_id)
                select id, '{{Far}}' from recovery_point where received_at < clock() - interval '2 days';
            insert into item_day (item_id, day, state, reason, gap)
                select i.id, (clock() at time zone 'UTC')::date - d, 'Unproven', 'It is not proven.', interval '1 day'
                from item i, generate_series(1, 365) d on conflict do nothing;
            insert into firing (policy_id, nominal_at, fired_at, runs)
                select policy_id, nominal_at, nominal_at, 1 from run where nominal_at > clock() - interval '35 days' on conflict do nothing;
            """), ct);
        await node.Ask<int>("vacuum analyze", ct);   // as the server does by itself while a history grows
    }

    static async Task Measure(Installation node, CancellationToken ct)
    {
        using var http = await SignIn(node, ct);
        var (paths, unknown) = await Readings.OfApi(http, await Ids(node, ct), await Filters(node, ct), ct);
        paths.AddRange(await Readings.OfConsole(http, ct));
        var before = node.Used();
        var figures = new List<(double P95, double Median, long Bytes, string Path)>();
        foreach (var path in paths) figures.Add(await One(http, path, ct));
        Console.WriteLine("| p95 ms | median ms | KiB | of |\n|---|---|---|---|");
        foreach (var one in figures.OrderByDescending(one => one.P95))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {one.P95:0} | {one.Median:0} | {one.Bytes >> 10} | {one.Path} |"));
        Console.WriteLine($"{figures.Count(one => one.P95 >= Limit)} of {figures.Count} at {Limit} ms or more; not measured, for there is "
            + $"none: {string.Join(", ", unknown)}");
        Console.WriteLine($"{Usage.Columns}: {node.Used().Since(before)}; "
            + $"load average {File.ReadAllText("/proc/loadavg").Trim()}");
    }

    static async Task<HttpClient> SignIn(Installation node, CancellationToken ct)
    {
        using var api = node.Api();
        await api.CreateUser(new CreateUserRequest("measure", "measure-0123456789", [new RoleGrant("Admin")]), ct);
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        await node.Ask<int>("update person set must_change_password = false; insert into session (token_hash, person_id) "
            + $"select '\\x{hash}'::bytea, id from person where name = 'measure'", ct);
        var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = node.Console,
            Timeout = TimeSpan.FromMinutes(1),
        };
        http.DefaultRequestHeaders.Add("Cookie", $"backupdr={token}");
        return http;
    }

    static async Task<(double, double, long, string)> One(HttpClient http, string path, CancellationToken ct)
    {
        var (times, bytes) = (new List<double>(), 0L);
        while (times.Count <= Rounds)
        {
            var begun = Stopwatch.GetTimestamp();
            using var response = await http.GetAsync(new Uri(path, UriKind.Relative), ct);
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                await Task.Delay(1000, ct);
                continue;
            }
            bytes = (await response.Content.ReadAsByteArrayAsync(ct)).Length;
            if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{path}: {(int)response.StatusCode}");
            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        times.RemoveAt(0);   // the first one compiles
        times.Sort();
        return (times[(int)(0.95 * Rounds) - 1], times[Rounds / 2], bytes, path);
    }

    /// <summary>Something that is there, for each part of a path that an id follows.</summary>
    static async Task<Dictionary<string, string>> Ids(Installation node, CancellationToken ct)
    {
        (string Part, string Prefix, string Sql)[] all =
        [
            ("hosts", "host", "select host_id from item limit 1"), ("items", "item", "select id from item limit 1"),
            ("policies", "pol", "select id from policy limit 1"),
            ("runs", "run", "select id from run where state = 'Complete' and kind = 'Backup' limit 1"),
            ("points", "point", "select id from recovery_point limit 1"), ("users", "user", "select id from person limit 1"),
            ("evidence", "ev", "select id from evidence limit 1"), ("join-tokens", "join", "select id from join_token limit 1"),
        ];
        var found = new Dictionary<string, string>();
        foreach (var (part, prefix, sql) in all)
            if (await node.Ask<string>($"select replace(({sql})::text, '-', '')", ct) is { } id) found[part] = $"{prefix}_{id}";
        return found;
    }

    /// <summary>Each filter of a list whose length is that of the history, and a page far back in it.</summary>
    static async Task<Dictionary<string, string[]>> Filters(Installation node, CancellationToken ct)
    {
        async Task<string> Id(string prefix, string sql)
            => $"{prefix}_{await node.Ask<string>($"select replace(({sql})::text, '-', '')", ct)}";
        var (host, item, policy) = (await Id("host", "select host_id from item limit 1"), await Id("item", "select id from item limit 1"),
            await Id("pol", "select id from policy limit 1"));
        var repository = await Id("repo", "select repository_id from item limit 1");
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(-90);
        return new Dictionary<string, string[]>
        {
            ["/api/v1/runs"] = ["state=Failed", "state=Cancelled", "state=Failed&state=Incomplete", "kind=Restore", "kind=Backup",
                $"item={item}", $"host={host}", $"policy={policy}", $"item={item}&state=Cancelled",
                $"since={day:yyyy-MM-dd}T00:00:00Z&until={day.AddDays(1):yyyy-MM-dd}T00:00:00Z", $"until={day:yyyy-MM-dd}T00:00:00Z",
                $"before={await Id("run", "select id from run order by id offset 1000 limit 1")}"],
            ["/api/v1/points"] = [$"item={item}", $"repository={repository}",
                $"before={await Id("point", "select id from recovery_point order by taken_at offset 1000 limit 1")}"],
            ["/api/v1/items/days"] = [$"item={item}"],
            ["/api/v1/alerts"] = ["cleared=true"],
            ["/api/v1/approvals"] = ["over=true"],
        };
    }
}
