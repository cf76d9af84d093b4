using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Runs;
using BackupDr.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace BackupDr.Web.Tests.Fixtures;

/// <summary>A real node with its console, in this process, on free ports, over a private database.</summary>
public sealed class ConsoleNode : IAsyncDisposable
{
    /// <summary>The administrator's one-time password.</summary>
    public const string OneTimePassword = "one-time-password";

    /// <summary>The password that the administrator chooses.</summary>
    public const string Password = "a sentence is easier";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly WebApplication _app;
    readonly ScratchFolder _folder;
    readonly NodeSettings _settings;
    readonly bool _isSecond;

    ConsoleNode(WebApplication app, ScratchFolder folder, NodeSettings settings, bool isSecond)
        => (_app, _folder, _settings, _isSecond) = (app, folder, settings, isSecond);

    /// <summary>Starts a further node over the same database with the same key.</summary>
    public async Task<ConsoleNode> Second(string name)
    {
        var settings = _settings with { Node = _settings.Node with { Name = name } };
        var app = SchedulerNode.Create(settings, ConsoleRole.Add, ConsoleRole.Map);
        await app.StartAsync();
        return new ConsoleNode(app, _folder, settings, isSecond: true);
    }

    /// <summary>Its listeners close and its connections break, as when its process is killed.</summary>
    public Task Vanish() => _app.Services.GetRequiredService<IServer>().StopAsync(new CancellationToken(canceled: true));

    /// <summary>Does what a person or a loop with every right would do.</summary>
    public static Caller System { get; } = Caller.System("test");

    /// <summary>Where the console is.</summary>
    public Uri Url => _app.Services.GetRequiredService<Listeners>().Console;

    /// <summary>A handler of the node.</summary>
    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>Starts one with an administrator who has not signed in yet.</summary>
    public static async Task<ConsoleNode> Start(PostgresServer server)
    {
        var node = await StartOn(await server.NewDatabase("console", template => Migrate(template, null)), new ScratchFolder());
        await node.Get<CreateUser>().Handle(System, new CreateUserRequest("admin", OneTimePassword), CancellationToken.None);
        return node;
    }

    /// <summary>Starts one on a database that an older version made.</summary>
    public static async Task<ConsoleNode> StartUpgraded(PostgresServer server)
    {
        var folder = new ScratchFolder();
        FormerDatabase.WriteKey(folder.At("sealing.key"));
        return await StartOn(await server.NewDatabase("former", async template =>
        {
            await Migrate(template, [.. typeof(Migrator).Assembly.GetManifestResourceNames()
                .Where(name => name.EndsWith(".sql", StringComparison.Ordinal) && FormerDatabase.Knew(name))]);
            await FormerDatabase.Fill(template);
        }), folder);
    }

    static async Task<ConsoleNode> StartOn(string database, ScratchFolder folder)
    {
        var settings = new NodeSettings
        {
            Database = new DatabaseOptions { ConnectionString = database },
            Console = new ConsoleOptions { Url = "http://127.0.0.1:0" },
            Agents = new AgentsOptions
            {
                Url = "https://127.0.0.1:0",
                PublicUrl = "https://backup.example.org:8421",
                Archive = folder.File("agent.tar.gz", "not executed here"),
            },
            Secrets = new SecretsOptions { KeyFile = folder.At("sealing.key") },
            Log = new LogOptions { Level = Microsoft.Extensions.Logging.LogLevel.Warning },
        };
        var app = SchedulerNode.Create(settings, ConsoleRole.Add, ConsoleRole.Map);
        await app.StartAsync();
        return new ConsoleNode(app, folder, settings, isSecond: false);
    }

    static async Task Migrate(string template, IReadOnlyCollection<string>? only)
    {
        await using var source = NpgsqlDataSource.Create(template);
        await new Migrator(source, TimeProvider.System, NullLogger<Migrator>.Instance).Run(CancellationToken.None, only);
        await using var connection = await source.OpenConnectionAsync();
        NpgsqlConnection.ClearPool(connection);   // a template may have no connections
    }

    /// <summary>A host that joined.</summary>
    public async Task<ScriptedAgent> Host(string name = "web-1")
    {
        var token = await Get<CreateJoinToken>().Handle(System, new CreateJoinTokenRequest(), CancellationToken.None);
        return await ScriptedAgent.Join(this, token.Token, name);
    }

    /// <summary>A policy for a folder of a host.</summary>
    public Task<Policy> Protect(HostId host, string path, string? name = null, LocationId? location = null)
        => Get<CreatePolicy>().Handle(System, new CreatePolicyRequest
        {
            Name = name,
            Location = location,
            Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.Files, Files = new FilesSpec {
            Paths = [FilePath.FromText(path)] } })],
        }, CancellationToken.None);

    /// <summary>Waits until the runs are as wanted.</summary>
    public async Task<RunPage> Until(Func<RunPage, bool> wanted)
    {
        using var late = new CancellationTokenSource(Patience);
        while (true)
        {
            var page = await Get<ListRuns>().Handle(System, new ListRunsRequest(), late.Token);
            if (wanted(page)) return page;
            await Task.Delay(100, late.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        if (!_isSecond) _folder.Dispose();
    }
}
