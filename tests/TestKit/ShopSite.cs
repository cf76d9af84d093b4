using System.Globalization;
using BackupDr.TestKit.Servers;

namespace BackupDr.TestKit;

/// <summary>A site with a database server and a small HTTP application that writes an order for each POST and answers GET with their
/// number.</summary>
public sealed class ShopSite : IAsyncDisposable
{
    /// <summary>A program in whatever the tests need anyway: Python and psql.</summary>
    const string Application = """
        import http.server, subprocess, sys
        port, sockets, database = int(sys.argv[1]), sys.argv[2], sys.argv[3]
        def ask(sql):
            done = subprocess.run(["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-p", database, "-U", "app", "-d", "postgres",
                "-c", sql], capture_output=True, timeout=10)
            return done.returncode, done.stdout.decode().strip()
        class Shop(http.server.BaseHTTPRequestHandler):
            def answer(self, sql):
                code, text = ask(sql)
                body = text.encode()
                self.send_response(200 if code == 0 and text else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self): self.answer("select count(*) from orders where not pg_is_in_recovery()")
            def do_POST(self): self.answer("insert into orders default values returning id")
            def log_message(self, *all): pass
        http.server.ThreadingHTTPServer((sys.argv[4], port), Shop).serve_forever()
        """;

    readonly ScratchFolder _folder = new();
    GuardedProcess? _application;

    ShopSite(PostgresCluster database) => Database = database;

    /// <summary>Its database server.</summary>
    public PostgresCluster Database { get; }

    /// <summary>Port of its application.</summary>
    public int Port { get; } = FreePorts.Find();

    /// <summary>Address of its application.</summary>
    public string Address => Database.Site?.Address ?? "127.0.0.1";

    /// <summary>The site that serves, with an empty table of orders and the application at work.</summary>
    public static async Task<ShopSite> Primary(SiteNetwork.Site? at = null)
    {
        var site = new ShopSite(PostgresCluster.Start(at, "log_connections = on"));
        await site.Database.Execute("create role app login; create role asserter login in role pg_read_all_data; "
            + "create table orders (id bigint generated always as identity primary key, "
            + "at timestamptz not null default clock_timestamp()); "
            + "grant select, insert on orders to app");
        site.StartApplication();
        return site;
    }

    /// <summary>The other site: a standby, and the application not started.</summary>
    public static ShopSite StandbyOf(ShopSite primary, SiteNetwork.Site? at = null)
        => new(PostgresCluster.StandbyOf(primary.Database, at));

    /// <summary>The other site where it has nothing but backups: an empty place for a server, and the application not started.</summary>
    public static ShopSite Empty(SiteNetwork.Site at) => new(PostgresCluster.Prepare(at));

    /// <summary>Words that start the application.</summary>
    public IReadOnlyList<string> StartWords => ["python3", _folder.File("shop.py", Application),
        Port.ToString(CultureInfo.InvariantCulture), Database.Sockets, Database.Port.ToString(CultureInfo.InvariantCulture), Address];

    /// <summary>Starts the application.</summary>
    public void StartApplication() => _application = new GuardedProcess(_folder.At("shop.log"),
        [.. Database.Site?.Words ?? [], .. StartWords]);

    /// <summary>The site answers nobody any more, and is not dead: what others see when its network is gone.</summary>
    public void CutOff()
    {
        foreach (var pid in Applications()) Tool.Run("kill", ["-STOP", pid]);
        Database.Freeze();
    }

    /// <summary>Whether anything of it is alive.</summary>
    public bool IsAlive => Applications().Count > 0 || Database.IsAlive();

    /// <summary>The script of a power switch: ends all that works at this site.</summary>
    public string PowerOff => $$"""
        #!/bin/bash
        for process in /proc/[0-9]*; do
            here=$(readlink "$process/cwd") || continue
            words=$(tr '\0' ' ' < "$process/cmdline") || continue
            case "$here $words" in
                "{{Database.Data}} "*|*"{{_folder.Path}}/shop.py "*) kill -KILL "${process#/proc/}" ;;
            esac
        done 2>/dev/null
        exit 0

        """;

    List<string> Applications() => [.. Directory.EnumerateDirectories("/proc")
        .Where(folder => Path.GetFileName(folder).All(char.IsAsciiDigit)
            && Words(folder).Contains($"{_folder.Path}/shop.py ", StringComparison.Ordinal))
        .Select(folder => Path.GetFileName(folder)!)];

    static string Words(string process)
    {
        try { return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' '); }
        catch (IOException) { return ""; }   // it ended
    }

    /// <summary>Ends it and removes what it left.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var pid in Applications()) Tool.Run("kill", ["-KILL", pid]);
        if (_application is not null) await _application.DisposeAsync();
        await Database.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>A client that sends orders through whatever stands before the sites, one after another, and keeps what was acknowledged.
/// </summary>
public sealed class ShopClient : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(2), Pause = TimeSpan.FromMilliseconds(50);

    readonly CancellationTokenSource _stop = new();
    readonly List<Acknowledged> _orders = [];
    readonly Task _work;

    /// <summary>Begins.</summary>
    public ShopClient(int port) => _work = Task.Run(() => Work(port));

    /// <summary>An order that was acknowledged.</summary>
    /// <param name="Id">Its number.</param>
    /// <param name="At">When the answer was there.</param>
    public sealed record Acknowledged(long Id, DateTimeOffset At);

    /// <summary>What was acknowledged so far.</summary>
    public IReadOnlyList<Acknowledged> Orders { get { lock (_orders) return [.. _orders]; } }

    async Task Work(int port)
    {
        while (!_stop.IsCancellationRequested)
        {
            using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = Patience };
            try
            {
                using var answer = await http.PostAsync("/orders", null, _stop.Token);
                if (answer.IsSuccessStatusCode
                    && long.TryParse(await answer.Content.ReadAsStringAsync(_stop.Token), CultureInfo.InvariantCulture, out var id))
                    lock (_orders) _orders.Add(new Acknowledged(id, TimeProvider.System.GetUtcNow()));
            }
            catch (HttpRequestException) { await Task.Yield(); }   // the site is away: that is what is watched
            catch (TaskCanceledException) when (!_stop.IsCancellationRequested) { await Task.Yield(); }   // so it is when nothing answers
            catch (OperationCanceledException) { return; }
            try { await Task.Delay(Pause, _stop.Token); }
            catch (OperationCanceledException) { return; }
        }
    }

    /// <summary>Ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }
}
