using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.TestKit;
using Npgsql;
using Command = BackupDr.Scheduler.ControlPlane.Rebuild;

namespace BackupDr.Scheduler.Tests.ControlPlane;

/// <summary>A node that exports itself to a folder, and what is rebuilt from it.</summary>
sealed class Exported(SchedulerDatabases databases, Fleet fleet, ScratchFolder scratch) : IAsyncDisposable
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    public Fleet Fleet => fleet;
    public TestNode Node => fleet.Node;
    public string Folder => Path.Combine(scratch.Path, "export");

    public static async Task<Exported> Start(SchedulerDatabases databases)
    {
        var scratch = new ScratchFolder();
        Directory.CreateDirectory(Path.Combine(scratch.Path, "export"));
        return new Exported(databases, await Fleet.Start(databases, settings => settings with
        {
            ControlPlane = settings.ControlPlane with { ExportFolder = Path.Combine(scratch.Path, "export") },
        }), scratch);
    }

    /// <summary>Writes an export now.</summary>
    public async Task Export()
    {
        await Node.Db.Execute("update control_plane set export_due_at = clock()", [], NoStop);
        Assert.NotEqual(0, await Node.Get<WriteExport>().Run(NoStop));
    }

    public Task<ControlPlaneState> State() => Node.Get<ShowControlPlane>().Handle(TestNode.Admin, new ShowControlPlaneRequest(), NoStop);

    public Task<IReadOnlyList<Alert>> Alerts() => Node.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), NoStop);

    public async Task<string> Kit()
        => (await Node.Get<WriteRecoveryKit>().Handle(TestNode.Admin, new WriteRecoveryKitRequest(), NoStop)).Text;

    /// <summary>A location that the node serves; gives its folder.</summary>
    public async Task<string> AddGateway(string name)
    {
        var folder = Path.Combine(scratch.Path, name);
        Directory.CreateDirectory(folder);
        await Node.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = name,
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(folder),
        }, NoStop);
        return folder;
    }

    /// <summary>How many parts and entries there are.</summary>
    public (int Parts, int Entries) Objects()
    {
        var root = Directory.GetDirectories(Path.Combine(Folder, ExportNames.Root)).Single();
        return (Directory.GetFiles(Path.Combine(root, "part")).Length, Directory.GetFiles(Path.Combine(root, "entry")).Length);
    }

    /// <summary>The newest entry.</summary>
    public async Task<ExportEntry> Entry()
    {
        await using var store = StoreFactory.Open(Folder);
        var read = new ReadExport(store, new ExportBox(Node.Get<RecoveryKey>().Key));
        var (installation, entries) = await read.Entries(null, NoStop);
        return await read.Entry(installation, entries[0], null, NoStop);
    }

    /// <summary>What <c>--list</c> shows, without its first line.</summary>
    public async Task<IReadOnlyList<string>> Listed()
    {
        var kit = await WriteKit(await Kit());
        using var output = new StringWriter();
        Assert.Equal(0, await Command.Run(["--from", Folder, "--kit", kit, "--list"], output, output, NoStop));
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
    }

    /// <summary>A node on a database that was rebuilt.</summary>
    public async Task<TestNode> Rebuild(string? from = null)
    {
        var (exit, error, database) = await TryRebuild(await Kit(), from is null ? [] : ["--from", from]);
        Assert.Equal((0, ""), (exit, error));
        return await TestNode.Start(databases, settings => settings with
        {
            Database = new DatabaseOptions { ConnectionString = database },
            Secrets = new SecretsOptions { KeyFile = KeyFileOf(database) },
            ControlPlane = settings.ControlPlane with { ExportFolder = Folder },
        });
    }

    /// <summary>Runs the command on an empty database, or on this one.</summary>
    public async Task<(int Exit, string Error, string Database)> TryRebuild(string kit, IReadOnlyList<string> more, string? on = null)
    {
        var database = on ?? await databases.Server.NewDatabase();
        var settings = Path.Combine(scratch.Path, $"{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(settings, $$"""
            {
              "Database": { "ConnectionString": "{{database}}" },
              "Secrets": { "KeyFile": "{{KeyFileOf(database)}}" }
            }
            """);
        using var error = new StringWriter();
        using var output = new StringWriter();
        var exit = await Command.Run(
            ["--from", Folder, "--kit", await WriteKit(kit), "--settings", settings, .. more], output, error, NoStop);
        return (exit, error.ToString(), database);
    }

    /// <summary>Every row of the exported tables, as text.</summary>
    public static async Task<Dictionary<string, List<string>>> Rows(Postgres db)
    {
        var rows = new Dictionary<string, List<string>>();
        foreach (var table in ExportedTables.All)
            rows[table.Name] = await db.Query($"select to_jsonb(t)::text as row from \"{table.Name}\" t order by 1", [],
                row => row.Text("row"), NoStop);
        return rows;
    }

    string KeyFileOf(string database) => Path.Combine(scratch.Path, $"{new NpgsqlConnectionStringBuilder(database).Database}.key");

    async Task<string> WriteKit(string text)
    {
        var file = Path.Combine(scratch.Path, $"{Guid.NewGuid():N}.txt");
        await File.WriteAllTextAsync(file, text);
        return file;
    }

    public async ValueTask DisposeAsync()
    {
        await fleet.DisposeAsync();
        scratch.Dispose();
    }
}
