using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>A server in a restored data folder that nobody else can reach: no network, a socket in a folder of its own, no events, no
/// replication, no binary log.</summary>
/// <remarks>Whose passwords are in the copy is not known, so a user is made when it starts and dropped before it ends. Without rights
/// at all (skip-grant-tables) the server refuses statements about events and users, and the log can hold those.</remarks>
sealed class PrivateMariaDb : IAsyncDisposable
{
    const string User = "backupdr_restore";
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);
    // What decides whether a server starts in files of another; the rest of the settings is not needed here.
    static readonly string[] Kept =
    [
        "character_set_server", "collation_server", "default_storage_engine", "explicit_defaults_for_timestamp", "ft_min_word_len",
        "innodb_data_file_path", "innodb_ft_min_token_size", "innodb_log_file_size", "innodb_page_size", "innodb_undo_tablespaces",
        "lower_case_table_names", "sql_mode",
    ];

    const string OwnOptions = "client.cnf";

    /// <summary>Where the folders of sockets are made.</summary>
    internal static string SocketFolder => Path.TrimEndingDirectorySeparator(Path.GetTempPath());

    readonly Scratch _folder;
    readonly ToolProcess _process;
    readonly OptionFile _options;

    PrivateMariaDb(Scratch folder, ToolProcess process, OptionFile options, MariaDbAddress address)
        => (_folder, _process, _options, Address, Client) = (folder, process, options, address, new MariaDbClient(address, options));

    /// <summary>How to reach it.</summary>
    public MariaDbAddress Address { get; }
    /// <summary>Asks it.</summary>
    public MariaDbClient Client { get; }
    /// <summary>For programs beside.</summary>
    public OptionFile Options => _options;
    /// <summary>The same in a file that the user can read whom the server runs as.</summary>
    public string OptionsOfOwner => Path.Combine(_folder.Path, OwnOptions);
    /// <summary>Whether it reaches no network and none of the host's sockets.</summary>
    public bool IsIsolated { get; private init; }
    /// <summary>The last lines of its log.</summary>
    public IReadOnlyList<string> Lines => _process.Lines;

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="data">Its data folder.</param>
    /// <param name="manifest">For the settings that the files need.</param>
    /// <param name="owner">Whom it runs as where we are root.</param>
    /// <param name="programs">Folder of the programs; null for the usual ones.</param>
    /// <param name="clock">Clock.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="SourceException">It does not start.</exception>
    public static async Task<PrivateMariaDb> Start(string data, MariaDbManifest manifest, (uint Uid, uint Gid) owner, string? programs,
        TimeProvider clock, CancellationToken ct)
    {
        var program = MariaDbTools.Find(MariaDbTools.Server, programs);
        var folder = Scratch.Make(SocketFolder);
        ToolProcess? process = null;
        OptionFile? options = null;
        try
        {
            if (AccountNames.IsRoot) Own(folder.Path, owner);
            using var password = Secret.FromText(RandomNumberGenerator.GetHexString(32) + "aA1!");
            var init = Path.Combine(folder.Path, "init.sql");
            Disk.Write(init, Encoding.UTF8.GetBytes($"create or replace user {User}@localhost identified by '{password.Reveal()}';\n"
                + $"grant all privileges on *.* to {User}@localhost with grant option;\n"), owner, isDurable: false);
            var address = new MariaDbAddress
            {
                Host = Path.Combine(folder.Path, "s"),
                User = User,
                Password = password,
                Programs = programs
            };
            Disk.Write(Path.Combine(folder.Path, OwnOptions), Encoding.UTF8.GetBytes($"[client]\nuser={User}\n"
                + $"password={password.Reveal()}\nsocket={address.Host}\nprotocol=socket\n"), owner, isDurable: false);
            options = new OptionFile(address, "[mysql]", "max-allowed-packet=1G", "[mysqldump]", "max-allowed-packet=1G");
            var isIsolated = Isolation.IsPossible && !Isolation.Hides(data) && !Isolation.Hides(folder.Path);
            process = ToolProcess.Start(program, Arguments(data, folder.Path, init, manifest), owner, isGuarded: true,
                isIsolated: isIsolated);
            var server = new PrivateMariaDb(folder, process, options, address) { IsIsolated = isIsolated };
            await server.Await(clock, ct);
            return server;
        }
        catch
        {
            if (process is not null) await process.DisposeAsync();
            options?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    static void Own(string path, (uint Uid, uint Gid) owner)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(path));
        var errno = folder.TrySetOwner(owner.Uid, owner.Gid);
        if (errno != Errno.None) throw new PosixException("chown", FilePath.FromText(path), errno);
    }

    static List<string> Arguments(string data, string folder, string init, MariaDbManifest manifest)
    {
        List<string> words = ["--no-defaults", $"--datadir={data}", $"--socket={folder}/s", $"--pid-file={folder}/pid",
            $"--tmpdir={folder}", $"--init-file={init}", "--skip-networking", "--skip-log-bin", "--skip-slave-start",
                "--event-scheduler=OFF",
            "--server-id=1", "--max-allowed-packet=1G", "--performance-schema=OFF", "--innodb-buffer-pool-size=128M", "--local-infile=OFF",
            "--innodb-flush-log-at-trx-commit=2", "--lc-messages=en_US", "--max-connections=20"];
        foreach (var name in Kept)
            if (manifest.Settings.TryGetValue(name, out var value)) words.Add($"--{name.Replace('_', '-')}={value}");
        return words;
    }

    async Task Await(TimeProvider clock, CancellationToken ct)
    {
        while (true)
        {
            if (_process.HasEnded) throw Dead("does not start");
            try
            {
                await Client.Rows("select 1", ct);
                return;
            }
            catch (BackupDrException e) when (e is UnavailableException or DeniedException) { await Task.Delay(LookEvery, clock, ct); }
        }
    }

    SourceException Dead(string what) => new("mariadb.server_failed", $"The server in the restored folder {what}: "
        + (Lines.LastOrDefault(line => line.Contains("[ERROR]", StringComparison.Ordinal)) ?? _process.LastLine),
        "See that the programs are of the version of the backup; name their folder with --programs.");

    /// <summary>Stops it cleanly; the data folder is whole then.</summary>
    /// <exception cref="SourceException">It did not end as it should.</exception>
    public async Task Stop(CancellationToken ct)
    {
        await Client.Rows($"drop user {User}@localhost", ct);
        await _process.Ask(ct);
        if (await _process.End(ct) is not 0 and var code)
            throw Dead($"ended with {code.ToString(CultureInfo.InvariantCulture)} instead of stopping");
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _options.Dispose();
        _folder.Dispose();
    }
}
