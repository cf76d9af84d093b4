using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace BackupDr.TestKit;

/// <summary>A PostgreSQL cluster of one test's own, to be backed up, killed and restored: with a socket and a port on loopback.</summary>
/// <remarks>The server runs as user postgres where the tests run as root. It is gone, with its folder, when the test ends.</remarks>
public sealed class PostgresCluster : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly string _bin;

    PostgresCluster(string folder, string bin, SiteNetwork.Site? site) => (Folder, _bin, Site) = (folder, bin, site);

    /// <summary>Where it works; null for this machine's own network.</summary>
    public SiteNetwork.Site? Site { get; }

    /// <summary>Everything of it lies here; the server's user may enter it.</summary>
    public string Folder { get; }
    /// <summary>Its data folder.</summary>
    public string Data => Path.Combine(Folder, "data");
    /// <summary>Folder of its socket.</summary>
    public string Sockets => Path.Combine(Folder, "s");
    /// <summary>Its port.</summary>
    public int Port { get; } = FreePorts.Find();
    /// <summary>Folder of the server's programs.</summary>
    public string Programs => _bin;

    /// <summary>Makes one and starts it. Skips the test where the server is not installed; fails where CI is set.</summary>
    /// <param name="settings">Lines for its settings file.</param>
    public static PostgresCluster Start(params string[] settings) => Start(null, settings);

    /// <summary>Makes one at a site, to which the servers of other sites get in.</summary>
    /// <param name="site">The site; null for this machine's own network.</param>
    /// <param name="settings">Lines for its settings file.</param>
    public static PostgresCluster Start(SiteNetwork.Site? site, params string[] settings)
    {
        var cluster = Prepare(site);
        cluster.As("initdb", "-D", cluster.Data, "-U", "postgres", "-A", "trust", "-N", "-k", "--locale=C.UTF-8", "--encoding=UTF8");
        File.AppendAllLines(Path.Combine(cluster.Data, "postgresql.conf"),
        [
            $"listen_addresses = '{site?.Address ?? "127.0.0.1"}'", $"port = {cluster.Port}",
            $"unix_socket_directories = '{cluster.Sockets}'",
            "wal_level = replica", "max_wal_senders = 10", "max_replication_slots = 10", "shared_buffers = 32MB", "max_connections = 50",
            "fsync = off", .. settings,
        ]);
        if (site is not null)
            File.AppendAllLines(Path.Combine(cluster.Data, "pg_hba.conf"),
                ["host all all samenet trust", "host replication all samenet trust"]);
        cluster.Start();
        return cluster;
    }

    /// <summary>Makes a standby of a server and starts it: it follows as fast as it can, and the primary does not wait for it.</summary>
    /// <param name="primary">The server.</param>
    /// <param name="site">Where the standby works; it follows over the network then.</param>
    public static PostgresCluster StandbyOf(PostgresCluster primary, SiteNetwork.Site? site = null)
    {
        var standby = Prepare(site);
        standby.As("pg_basebackup", "-h", site is null ? primary.Sockets : primary.Site!.Address, "-p",
            primary.Port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", "-D", standby.Data, "-R", "-X", "stream", "-c", "fast");
        File.AppendAllLines(Path.Combine(standby.Data, "postgresql.conf"),
            [$"port = {standby.Port}", $"unix_socket_directories = '{standby.Sockets}'",
            .. site is null ? (string[])[] : [$"listen_addresses = '{site.Address}'"]]);
        standby.Start();
        return standby;
    }

    /// <summary>Stops the server's processes where they are: it answers nobody, keeps its connections, and is not dead.</summary>
    public void Freeze()
    {
        foreach (var pid in Processes()) Tool.Run("kill", ["-STOP", pid]);
    }

    /// <summary>Lets them go on.</summary>
    public void Thaw()
    {
        foreach (var pid in Processes()) Tool.Run("kill", ["-CONT", pid]);
    }

    /// <summary>An empty place for a cluster that comes from somewhere else.</summary>
    public static PostgresCluster Prepare(SiteNetwork.Site? site = null)
    {
        if (PostgresServer.Programs() is not { } bin)
        {
            if (Environment.GetEnvironmentVariable("CI") == "true") Xunit.Assert.Fail("The package postgresql is not installed.");
            Xunit.Assert.Skip("needs the package postgresql");
            throw new UnreachableException();
        }
        var folder = Directory.CreateTempSubdirectory("bdr-pgc-").FullName;
        if (Environment.IsPrivilegedProcess) Tool.Succeed("chown", "postgres:postgres", folder);
        var cluster = new PostgresCluster(folder, bin, site);
        Make(cluster.Sockets);
        return cluster;
    }

    /// <summary>Makes a folder of the server's user.</summary>
    public static string Make(string path)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (Environment.IsPrivilegedProcess) Tool.Succeed("chown", "postgres:postgres", path);
        return path;
    }

    /// <summary>Runs one of the server's programs as its user.</summary>
    public string As(string program, params string[] arguments)
    {
        string[] words = [.. Site?.Words ?? [],
            .. Environment.IsPrivilegedProcess ? (string[])["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : [],
            Path.Combine(_bin, program), .. arguments];
        return Tool.Succeed(words[0], words[1..]);
    }

    /// <summary>Starts the server on its own settings, or with further ones.</summary>
    public void Start(string options = "")
        => As("pg_ctl", "-D", Data, "-w", "-t", "60", "-l", Path.Combine(Folder, "log"), "-o", options, "start");

    /// <summary>What the server wrote to its log.</summary>
    public string Log => File.ReadAllText(Path.Combine(Folder, "log"));

    /// <summary>Stops it cleanly.</summary>
    public void Stop() => As("pg_ctl", "-D", Data, "-w", "-m", "fast", "stop");

    /// <summary>Makes a primary of a standby.</summary>
    public void Promote() => As("pg_ctl", "-D", Data, "-w", "promote");

    /// <summary>Kills it as a power cut would, and waits until the last of its processes is gone.</summary>
    public void Kill()
    {
        Tool.Succeed("kill", ["-KILL", File.ReadLines(Path.Combine(Data, "postmaster.pid")).First()]);
        for (var begun = Stopwatch.GetTimestamp(); Processes() is { Count: > 0 } left;)
        {
            if (Stopwatch.GetElapsedTime(begun) > Patience) Xunit.Assert.Fail("The server's processes do not end.");
            foreach (var pid in left) Tool.Run("kill", ["-KILL", pid]);
        }
        Bury();
    }

    /// <summary>Removes what a killed server left: the next one trusts the process numbers in its lock files, and the killed one may be a
    /// zombie that nobody buries.</summary>
    public void Bury()
    {
        File.Delete(Path.Combine(Data, "postmaster.pid"));
        foreach (var file in Directory.GetFiles(Sockets, ".s.PGSQL.*")) File.Delete(file);
    }

    /// <summary>Whether any of its processes lives, be it stopped.</summary>
    public bool IsAlive() => Processes().Count > 0;

    /// <summary>All processes that work in the data folder, as all of a server's do.</summary>
    List<string> Processes() => [.. Directory.EnumerateDirectories("/proc")
        .Where(folder => Path.GetFileName(folder).All(char.IsAsciiDigit) && CurrentFolder(folder) == Data)
        .Select(folder => Path.GetFileName(folder)).Where(Lives)];

    static string? CurrentFolder(string process)
    {
        try { return new FileInfo(Path.Combine(process, "cwd")).LinkTarget; }
        catch (IOException) { return null; }   // it ended
    }

    static bool Lives(string pid)
    {
        try { return !File.ReadAllText($"/proc/{pid}/stat").Split(')')[^1].TrimStart().StartsWith('Z'); }
        catch (IOException) { return false; }
    }

    /// <summary>A connection string of the superuser.</summary>
    public string Connection(string database = "postgres")
        => $"Host={Sockets};Port={Port};Username=postgres;Database=\"{database}\";Timeout=15;Command Timeout={Nightly.Or(30, 1800)};"
            + "Pooling=false";

    /// <summary>Runs statements.</summary>
    public async Task Execute(string sql, string database = "postgres")
    {
        await using var connection = new NpgsqlConnection(Connection(database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The only value of a query.</summary>
    public async Task<T> Ask<T>(string sql, string database = "postgres")
    {
        await using var connection = new NpgsqlConnection(Connection(database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Waits until a restored cluster is no longer in recovery.</summary>
    public async Task AwaitPromotion()
    {
        for (var begun = Stopwatch.GetTimestamp(); await Ask<bool>("select pg_is_in_recovery()"); await Task.Delay(50))
            if (Stopwatch.GetElapsedTime(begun) > Patience) Xunit.Assert.Fail($"It stays in recovery: {Log}");
    }

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
        {
            var pid = File.ReadLines(Path.Combine(Data, "postmaster.pid")).First();
            if (Lives(pid)) Kill();
        }
        Tool.Run("rm", ["-rf", "--", Folder, Folder + ".tablespaces"]);
        await Task.CompletedTask;
    }
}
