using System.Diagnostics;
using BackupDr.TestKit.Servers;

namespace BackupDr.TestKit;

/// <summary>A MariaDB server of one test class's own: with a socket only, and a binary log.</summary>
/// <remarks>It runs as user mysql where the tests run as root, and is gone, with its folder, when the tests end or are killed.</remarks>
public sealed class MariaDbServer : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly string[] _settings;
    GuardedProcess? _server;

    MariaDbServer(string folder, string[] settings) => (Folder, _settings) = (folder, settings);

    /// <summary>Everything of it lies here; the server's user may enter it.</summary>
    public string Folder { get; }
    /// <summary>Its data folder.</summary>
    public string Data => Path.Combine(Folder, "data");
    /// <summary>Its socket; root may come in without a password.</summary>
    public string Socket => Path.Combine(Folder, "s");
    /// <summary>Its name in a repository.</summary>
    public string Name => $"{Environment.MachineName}:{Data.Trim('/').Replace('/', '_')}";

    /// <summary>Makes one and starts it. Skips the test where the server is not installed; fails where CI is set.</summary>
    /// <param name="settings">Further options: "log-bin=bin".</param>
    public static MariaDbServer Start(params string[] settings)
    {
        Tool.Need("mariadbd", "mariadb-server");
        Tool.Need("mariadb-backup", "mariadb-backup");
        var server = new MariaDbServer(NewFolder(), settings);
        As("mariadb-install-db", "--no-defaults", $"--datadir={server.Data}", "--auth-root-authentication-method=normal",
            "--skip-test-db", "--skip-name-resolve");
        server.Start();
        return server;
    }

    /// <summary>A server in a data folder that comes from somewhere else; the folder goes with it.</summary>
    public static MariaDbServer StartIn(string data, params string[] settings)
    {
        var server = new MariaDbServer(NewFolder(), settings);
        Tool.Succeed("mv", data, server.Data);
        Tool.Succeed("chown", "-R", $"{Owner}:{Owner}", server.Data);
        server.Start();
        return server;
    }

    static string Owner => Environment.IsPrivilegedProcess ? "mysql" : Environment.UserName;

    static string NewFolder()
    {
        var folder = Directory.CreateTempSubdirectory("bdr-my-").FullName;
        if (Environment.IsPrivilegedProcess) Tool.Succeed("chown", "mysql:mysql", folder);
        return folder;
    }

    static string[] Words(string program, params string[] arguments) => Environment.IsPrivilegedProcess
        ? ["setpriv", "--reuid=mysql", "--regid=mysql", "--init-groups", "--", program, .. arguments] : [program, .. arguments];

    /// <summary>Runs one of the server's programs as its user.</summary>
    public static string As(string program, params string[] arguments)
    {
        var words = Words(program, arguments);
        return Tool.Succeed(words[0], words[1..]);
    }

    /// <summary>Starts the server, and waits until it answers.</summary>
    public void Start()
    {
        _server = new GuardedProcess(Path.Combine(Folder, "log"), Words("mariadbd", ["--no-defaults", $"--datadir={Data}",
            $"--socket={Socket}", $"--pid-file={Path.Combine(Folder, "pid")}", "--skip-networking", "--skip-name-resolve", "--server-id=1",
            "--binlog-format=ROW", "--gtid-strict-mode=ON", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
            "--performance-schema=OFF", "--innodb-flush-log-at-trx-commit=2", .. _settings.Select(setting => "--" + setting)]));
        for (var begun = Stopwatch.GetTimestamp(); Client("select 1").ExitCode != 0; Thread.Sleep(50))
            if (_server.HasEnded
                || Stopwatch.GetElapsedTime(begun) > Patience) Xunit.Assert.Fail($"It does not start: {_server.LastWords}");
    }

    /// <summary>Kills it as a power cut would.</summary>
    public async Task Kill()
    {
        await _server!.DisposeAsync();
        _server = null;
    }

    ToolResult Client(string sql)
        => Tool.Run("mariadb", ["--no-defaults", $"--socket={Socket}", "--user=root", "--batch", "--skip-column-names", "-e", sql]);

    /// <summary>Runs statements.</summary>
    public void Execute(string sql) => Ask(sql);

    /// <summary>What a query gives: a line for each row, columns apart by tabs.</summary>
    public string Ask(string sql)
    {
        var result = Client(sql);
        Xunit.Assert.True(result.ExitCode == 0, $"{sql}: {result.Errors}");
        return result.Output.TrimEnd('\n');
    }

    /// <summary>A client that takes statements as they are written to it, and ends when it is disposed.</summary>
    public MariaDbWriter Writer() => new(Socket);

    /// <summary>Ends it and removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        // Copies that were restored beside it and started.
        foreach (var copy in Process.GetProcessesByName("mariadbd"))
            using (copy)
                if (Tool.Run("readlink", [$"/proc/{copy.Id}/cwd"]).Output.StartsWith($"{Folder}/", StringComparison.Ordinal)) copy.Kill();
        Tool.Run("rm", ["-rf", "--", Folder]);
    }
}

/// <summary>One connection to a server that statements are written to, one after another.</summary>
public sealed class MariaDbWriter : IAsyncDisposable
{
    readonly Process _client;
    readonly Task<string> _errors;

    internal MariaDbWriter(string socket)
    {
        _client = Process.Start(new ProcessStartInfo("mariadb", ["--no-defaults", $"--socket={socket}", "--user=root", "--batch",
            "--skip-column-names", "--unbuffered"])
        { RedirectStandardInput = true, RedirectStandardError = true })!;
        _errors = _client.StandardError.ReadToEndAsync();
    }

    /// <summary>Hands a statement over; it is done some time later.</summary>
    public async Task Write(string sql)
    {
        await _client.StandardInput.WriteLineAsync(sql + ";");
        await _client.StandardInput.FlushAsync();
    }

    /// <summary>Waits until all statements are done; fails where one was refused.</summary>
    public async ValueTask DisposeAsync()
    {
        _client.StandardInput.Close();
        await _client.WaitForExitAsync();
        var errors = await _errors;
        Xunit.Assert.True(_client.ExitCode == 0, errors);
        _client.Dispose();
    }
}
