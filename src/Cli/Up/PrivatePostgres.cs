using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Cli.Up;

/// <summary>A PostgreSQL cluster of our own, from the installed server programs, run by an unprivileged user, reached by a Unix socket
/// only.</summary>
sealed class PrivatePostgres
{
    const string User = "backupdr", DatabaseName = "backupdr", Package = "postgresql";
    static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60), StopPatience = TimeSpan.FromSeconds(60), OrphanPatience =
        TimeSpan.FromSeconds(15);

    readonly DataFolder _data;
    readonly string _programs;
    readonly string? _runAs;   // set where we are root, because the server refuses to run as root
    readonly string _sockets;

    PrivatePostgres(DataFolder data, string programs, string? runAs, string sockets) => (_data, _programs, _runAs, _sockets) =
        (data, programs, runAs, sockets);

    /// <summary>How the node connects.</summary>
    public string ConnectionString
        => $"Host={_sockets};Username={User};Password={Password};Database={DatabaseName};Maximum Pool Size=40";

    string Password => DataFolder.SecretIn(_data.DatabasePasswordFile).Reveal();

    /// <summary>Starts the cluster, or adopts it where it still runs from before. Installs the server where it is missing and we
    /// may.</summary>
    /// <exception cref="BackupDrException">What is missing or broken, and what to do.</exception>
    public static async Task<PrivatePostgres> Start(DataFolder data, Action<string> say, CancellationToken ct)
    {
        var programs = Find() ?? await Install(say, ct);
        var runAs = Environment.IsPrivilegedProcess ? await Unprivileged(ct) : null;
        if (runAs is not null) CheckTraversable(data.Root);
        var postgres = new PrivatePostgres(data, programs, runAs, MakeSocketFolder(data, runAs));
        await postgres.Init(say, ct);
        await postgres.Run(ct);
        return postgres;
    }

    /// <summary>The newest installed server's programs.</summary>
    static string? Find()
    {
        const string root = "/usr/lib/postgresql";
        if (!Directory.Exists(root)) return null;
        return Directory.GetDirectories(root).Select(folder => (Folder: Path.Combine(folder, "bin"),
            Version: int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var version) ? version : 0))
            .Where(found => found.Version >= 13 && File.Exists(Path.Combine(found.Folder, "initdb"))
                && File.Exists(Path.Combine(found.Folder, "postgres")))
            .OrderByDescending(found => found.Version).Select(found => found.Folder).FirstOrDefault();
    }

    static async Task<string> Install(Action<string> say, CancellationToken ct)
    {
        const string hint = "Install it, on Debian with: apt-get install postgresql";
        string[] sudo = Environment.IsPrivilegedProcess ? [] : ["sudo", "-n"];
        if (!File.Exists("/usr/bin/apt-get")) throw new UnavailableException("postgres.missing", "The PostgreSQL server is not installed.",
            hint);
        if (sudo.Length > 0 && (!File.Exists("/usr/bin/sudo") || (await Tool.Run("/usr/bin/sudo", ["-n", "true"], null, ct)).ExitCode != 0))
            throw new UnavailableException("postgres.missing", "The PostgreSQL server is not installed, and this user may not install it.",
                hint);
        say("Installing the PostgreSQL server …");
        // Debian would make and start a cluster of its own; ours is the only one that is wanted.
        const string script = """
            set -e
            mkdir -p /etc/postgresql-common
            [ -e /etc/postgresql-common/createcluster.conf ] || { echo 'create_main_cluster = false' >
            /etc/postgresql-common/createcluster.conf; }
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -q && apt-get install -q -y --no-install-recommends postgresql
            """;
        string[] words = [.. sudo, "/bin/sh", "-c", script];
        var result = await Tool.Run(words[0] == "sudo" ? "/usr/bin/sudo" : words[0], words[1..], null, ct);
        if (result.ExitCode != 0) throw new UnavailableException("postgres.install",
            $"The package {Package} could not be installed: {result.LastLine}", hint);
        return Find() ?? throw new UnavailableException("postgres.missing",
            $"The package {Package} was installed, but no server of version 13 or later is there.", hint);
    }

    static async Task<string> Unprivileged(CancellationToken ct)
    {
        foreach (var name in (string[])["postgres", "nobody"])
            if ((await Tool.Run("/usr/bin/id", ["-u", name], null, ct)).ExitCode == 0) return name;
        throw new UnavailableException("postgres.user", "There is no unprivileged user to run PostgreSQL as.",
            "Make a user named postgres.");
    }

    static void CheckTraversable(string root)
    {
        for (var parent = Path.GetDirectoryName(root); !string.IsNullOrEmpty(parent); parent = Path.GetDirectoryName(parent))
            if ((File.GetUnixFileMode(parent) & UnixFileMode.OtherExecute) == 0)
                throw new BadInputException("data", $"The folder {parent} cannot be entered by the database's user, so the database "
                    + $"cannot lie below it.", $"Run 'chmod o+x {parent}', or choose another --data.");
    }

    /// <summary>A short path of its own: the kernel takes at most 107 bytes for a socket.</summary>
    static string MakeSocketFolder(DataFolder data, string? runAs)
    {
        var name = $"backupdr-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(data.Root)))[..12]}";
        var parent = runAs is not null ? "/run" : Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime
            && Directory.Exists(runtime) ? runtime : data.Root;
        var folder = Path.Combine(parent, name);
        if (Encoding.UTF8.GetByteCount(folder) > 85) throw new BadInputException("data", $"The path {folder} is too long for a socket.",
            "Choose a shorter --data.");
        try { Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("data",
            $"The socket folder {folder} cannot be made: {e.Message}", "Check the rights of the folder above it.");
        }
        return folder;
    }

    async Task Init(Action<string> say, CancellationToken ct)
    {
        if (_runAs is not null) await Must("/usr/bin/chown", [$"{_runAs}:", _sockets], ct);
        if (File.Exists(Path.Combine(_data.Database, "PG_VERSION"))) return;
        say("Making the database …");
        var making = _data.Database + ".new";   // a start that was killed here leaves no half cluster under the real name
        if (Directory.Exists(making)) Directory.Delete(making, recursive: true);
        Directory.CreateDirectory(making, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var password = making + ".password";
        DataFolder.WritePrivate(password, DataFolder.SecretIn(_data.DatabasePasswordFile).Reveal());
        try
        {
            if (_runAs is not null) await Must("/usr/bin/chown", [$"{_runAs}:", making, password], ct);
            await MustAs("initdb", ["-D", making, "-U", User, "--auth=scram-sha-256", $"--pwfile={password}", "--encoding=UTF8",
                "--locale=C.UTF-8", "--data-checksums"], ct);
        }
        finally { File.Delete(password); }
        await File.AppendAllTextAsync(Path.Combine(making, "postgresql.auto.conf"), $"""
            listen_addresses = ''
            unix_socket_directories = '{_sockets}'
            unix_socket_permissions = 0700
            max_connections = 100
            log_min_messages = warning

            """, ct);
        Directory.Move(making, _data.Database);
    }

    async Task Run(CancellationToken ct)
    {
        if (!IsRunning())
        {
            await ClearRemains(ct);
            var log = Path.Combine(_data.Database, "server.log");
            var result = await As("pg_ctl", ["-D", _data.Database, "-w", "-t", $"{StartPatience.TotalSeconds:0}", "-l", log, "-o",
                $"-k '{_sockets}'", "start"], ct);
            if (result.ExitCode != 0)
            {
                var reason = File.Exists(log) ? (await File.ReadAllLinesAsync(log, ct))
                    .LastOrDefault(line => line.Contains("FATAL", StringComparison.Ordinal)) : null;
                throw new UnavailableException("postgres.start", $"The database does not start: {reason ?? result.LastLine}",
                    $"Its log is {log}.");
            }
        }
        var made = await As("createdb", ["-h", _sockets, "-U", User, "-w", "--maintenance-db=postgres", DatabaseName], ct);
        if (made.ExitCode != 0 && !made.Text.Contains("already exists",
            StringComparison.Ordinal)) throw new UnavailableException("postgres.start", $"The database cannot be used: {made.LastLine}",
            "See its log in the data folder.");
    }

    /// <summary>Removes what a killed server left behind, once none of its processes lives: a backend that outlived its server may still
    /// write.</summary>
    /// <remarks>The server itself trusts the process number in its lock files, which may be a zombie's or somebody else's by now.</remarks>
    async Task ClearRemains(CancellationToken ct)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (Users() is { Count: > 0 } users)
        {
            if (TimeProvider.System.GetElapsedTime(begun) > OrphanPatience)
                throw new ConflictException("postgres.in_use", $"The database folder {_data.Database} is in use by the process(es) "
                    + $"{string.Join(", ", users)}.", "End them, then start again.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), ct);
        }
        foreach (var file in (string[])[Path.Combine(_data.Database, "postmaster.pid"), Path.Combine(_sockets, ".s.PGSQL.5432.lock"),
            Path.Combine(_sockets, ".s.PGSQL.5432")]) File.Delete(file);
    }

    /// <summary>Processes that work in the database folder, as all of a server's do. Zombies work nowhere.</summary>
    List<string> Users()
    {
        var users = new List<string>();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => path.AsSpan(6)
            .ContainsAnyExceptInRange('0', '9') is false))
        {
            try
            {
                if (new FileInfo(Path.Combine(process, "cwd")).LinkTarget == _data.Database) users.Add(Path.GetFileName(process));
            }
            // it ended, or is another user's and so not ours
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { continue; }
        }
        return users;
    }

    /// <summary>Whether the process of postmaster.pid is a server on exactly this folder.</summary>
    bool IsRunning()
    {
        var file = Path.Combine(_data.Database, "postmaster.pid");
        if (!File.Exists(file)) return false;
        var lines = File.ReadAllLines(file);
        if (lines.Length < 2 || !int.TryParse(lines[0], CultureInfo.InvariantCulture, out var pid)
            || lines[1] != _data.Database) return false;
        try
        {
            var command = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
            return Path.GetFileName(command[0]).StartsWith("postgres", StringComparison.Ordinal) && command.Contains(_data.Database);
        }
        catch (IOException) { return false; }   // there is no such process
    }

    /// <summary>Stops the cluster: open transactions are rolled back, everything committed stays.</summary>
    public async Task Stop(CancellationToken ct)
    {
        if (IsRunning()) await As("pg_ctl", ["-D", _data.Database, "-w", "-t", $"{StopPatience.TotalSeconds:0}", "-m", "fast", "stop"], ct);
        if (!Directory.EnumerateFileSystemEntries(_sockets).Any()) Directory.Delete(_sockets);
    }

    Task<ToolOutcome> As(string program, string[] arguments, CancellationToken ct)
    {
        var environment = new Dictionary<string, string>
        {
            ["PGPASSWORD"] = DataFolder.SecretIn(_data.DatabasePasswordFile).Reveal(),
            ["LC_ALL"] = "C.UTF-8",
            ["PGPORT"] = "5432",   // names the socket; whatever the person's shell says is meant for another server
        };
        var path = Path.Combine(_programs, program);
        return _runAs is null ? Tool.Run(path, arguments, environment, ct) : Tool.Run("/usr/bin/setpriv",
            [$"--reuid={_runAs}", $"--regid={_runAs switch { "nobody" => "nogroup", _ => _runAs }}", "--init-groups", path, .. arguments],
            environment, ct);
    }

    async Task MustAs(string program, string[] arguments, CancellationToken ct) => Succeeded(program, await As(program, arguments, ct));

    static async Task Must(string program, string[] arguments, CancellationToken ct) =>
        Succeeded(program, await Tool.Run(program, arguments, null, ct));

    static void Succeeded(string program, ToolOutcome outcome)
    {
        if (outcome.ExitCode != 0) throw new UnavailableException("postgres.init", $"{program} failed: {outcome.Reason}",
            "Check free space and rights of the data folder.");
    }
}

/// <summary>What a program said.</summary>
readonly record struct ToolOutcome(int ExitCode, string Text)
{
    public string LastLine => Lines().LastOrDefault() ?? $"exit code {ExitCode}";

    /// <summary>Why a program of ours failed, which is the last line that is not set in, and what it advises, which is set in below that;
    /// null where it advises nothing.</summary>
    public (string Reason, string? Advice) Failure
    {
        get
        {
            var lines = Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var at = Array.FindLastIndex(lines, line => !char.IsWhiteSpace(line[0]));
            if (at < 0) return (LastLine, null);
            var advice = string.Join(' ', lines[(at + 1)..].Select(line => line.Trim()).Where(line => line.Length > 0));
            return (lines[at].TrimEnd(), advice.Length == 0 ? null : advice);
        }
    }

    /// <summary>The last line that gives a reason; what follows it is mostly about tidying up.</summary>
    public string Reason => Lines().LastOrDefault(line => line.Contains("could not", StringComparison.Ordinal)
        || line.Contains("error:", StringComparison.Ordinal) || line.Contains("FATAL:", StringComparison.Ordinal)) ?? LastLine;

    IEnumerable<string> Lines() => Text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>Runs a program to its end, from the root folder, its output kept in a file: a server that it leaves behind would hold a pipe
/// open.</summary>
static class Tool
{
    public static async Task<ToolOutcome> Run(string program, string[] arguments, IReadOnlyDictionary<string, string>? environment,
        CancellationToken ct)
    {
        var output = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo("/bin/sh", ["-c", "out=$1; shift; exec \"$@\" >\"$out\" 2>&1 </dev/null", "sh", output,
                program, .. arguments])
            { WorkingDirectory = "/" };
            if (environment is not null)
                foreach (var (name, value) in environment) start.Environment[name] = value;
            using var process = Process.Start(start) ?? throw new UnavailableException("tool.start", $"{program} does not start.");
            await process.WaitForExitAsync(ct);
            return new ToolOutcome(process.ExitCode, await File.ReadAllTextAsync(output, CancellationToken.None));
        }
        finally { File.Delete(output); }
    }
}
