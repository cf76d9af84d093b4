using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Access.Trail;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Telemetry;
using BackupDr.Scheduler.Timing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace BackupDr.Scheduler;

/// <summary>A node: public API, agents' API and loops over one PostgreSQL. The console adds its pages to the same node.</summary>
public static class SchedulerNode
{
    /// <summary>Largest body of a call to the public API.</summary>
    internal const int LargestApiBodyBytes = 1 << 20;
    const int LargestAgentBodyBytes = 8 << 20;   // a folder listing of 10,000 entries, or a full report
    static readonly TimeSpan ShutdownPatience = TimeSpan.FromSeconds(10);

    /// <summary>Runs a node until it is told to stop: SIGINT, SIGTERM, or the end of stdin with --stdin-lifetime.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="add">What the program with the console adds to the node's parts.</param>
    /// <param name="map">Maps the console's pages; the caller of a request is known by then.</param>
    /// <param name="before">Adds what stands around the node's own middleware: the page for errors, security headers.</param>
    /// <returns>0 after an orderly stop; 1 where it could not start, with the reason on stderr.</returns>
    public static async Task<int> Run(
        string[] args, Action<WebApplicationBuilder>? add = null, Action<WebApplication>? map = null, Action<WebApplication>? before = null)
    {
        NodeSettings? settings = null;
        try
        {
            var arguments = NodeArguments.Parse(args);
            settings = Settings.Read<NodeSettings>(Settings.Load(arguments.SettingsFile));
            await using var app = Create(settings, add, map, before);
            await app.StartAsync();
            if (arguments.StdinLifetime) app.Services.GetRequiredService<StdinLifetime>().Watch();
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (BackupDrException e)
        {
            await Console.Error.WriteLineAsync(e.Hint is null ? e.Message : $"{e.Message}\n{e.Hint}");
        }
        catch (NpgsqlException e) when (Outage.Is(e))
        {
            await Console.Error.WriteLineAsync($"The database went away while this node started: {(e.InnerException ?? e).Message}\n"
                + "Start it again when PostgreSQL answers; nothing was lost.");
        }
        catch (IOException e) when (e.InnerException is AddressInUseException && settings is not null)
        {
            await Console.Error.WriteLineAsync(PortInUse(settings, e.Message));
        }
        return 1;
    }

    /// <summary>Builds a node that is not started yet. Tests and <see cref="Run"/> use it. The console's parts count only with that
    /// role.</summary>
    public static WebApplication Create(
        NodeSettings settings, Action<WebApplicationBuilder>? add = null, Action<WebApplication>? map = null,
            Action<WebApplication>? before = null)
    {
        var hasConsole = settings.Node.Is(NodeRole.Console);
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = [], ContentRootPath = AppContext.BaseDirectory });
        builder.AddScheduler(settings);
        if (hasConsole) add?.Invoke(builder);
        var app = builder.Build();
        if (hasConsole) before?.Invoke(app);
        app.MapScheduler();
        if (hasConsole) map?.Invoke(app);
        return app;
    }

    /// <summary>Adds what a node needs.</summary>
    public static void AddScheduler(this WebApplicationBuilder builder, NodeSettings settings)
    {
        builder.Configuration.Sources.Clear();   // settings come from Settings.Load alone, never from the working folder
        AddLog(builder.Logging, settings.Log);
        OtlpExport.Add(builder, settings);
        var services = builder.Services;
        services.AddSingleton<RecentLog>().AddSingleton<ILoggerProvider>(provider => provider.GetRequiredService<RecentLog>());
        services.AddSingleton(settings).AddSingleton(settings.Agents).AddSingleton(settings.Node).AddSingleton(settings.Secrets)
            .AddSingleton(settings.Bootstrap).AddSingleton(settings.ControlPlane).AddSingleton(settings.Checks);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<Listeners>().AddSingleton<StdinLifetime>();
        services.AddSingleton(_ => DataSource.Open(settings.Database.ConnectionString, settings.Node.NameOrMachine));
        services.AddSingleton<Postgres>().AddSingleton<Migrator>();
        services.AddSingleton<ChannelTable>().AddSingleton<Sinks>().AddSingleton<DeliverMessages>().AddSingleton<PingDeadMan>();
        services.AddSingleton<AlertBook>().AddSingleton<AlertLook>().AddSingleton<EvidenceKey>().AddSingleton<EvidenceLog>();
        services.AddSingleton<ItemDays>().AddSingleton<ChainCheck>();
        services.AddSingleton<RecoveryKey>().AddSingleton<ExportPlaces>().AddSingleton<WriteExport>()
            .AddSingleton<ExportedControlPlane>().AddSingleton<TermFence>().AddSingleton<TermWatch>();
        services.AddHostedService<NodeStartUp>().AddHostedService(provider => provider.GetRequiredService<TermWatch>());
        services.AddSingleton<NodeStanding>().AddSingleton<ConnectionTurnover>()
            .AddSingleton<NodeLoops>().AddSingleton<UpkeepPlacement>().AddHostedService<NodeBeat>();
        services.AddSingleton<Notifications>().AddHostedService(provider => provider.GetRequiredService<Notifications>());
        foreach (var handler in Rights.Handlers) services.AddSingleton(handler);
        services.AddSingleton<ScopedThings>().AddSingleton<FourEyes>().AddSingleton<Refusals>().AddSingleton<AuditAnchors>();
        services.AddSingleton<Sessions>().AddSingleton<BootstrapKey>().AddSingleton<SealedSecrets>().AddSingleton<CertificateAuthority>();
        services.AddSingleton<SealingRotation>();
        services.AddSingleton<AgentAdmission>().AddSingleton<AgentsTls>();
        services.AddSingleton<RepositoryTable>().AddSingleton<LocationSecrets>().AddSingleton<LocationTrial>()
            .AddSingleton<LocationRules>().AddSingleton<BundleContents>();
        services.AddSingleton<MakeAlonePlan>().AddSingleton<RunsMadeAlone>();
        services.AddSingleton<AgentQuestions>().AddSingleton<AssignLook>().AddSingleton<InstallScript>().AddSingleton<AgentArchive>();
        services.AddSingleton<PolicyRuns>().AddSingleton<RunEffects>().AddSingleton<LeaseExpiry>().AddSingleton<Upkeep>()
            .AddSingleton<FireDue>().AddSingleton<DrillDue>().AddSingleton<UpkeepDue>().AddSingleton<RetentionDue>()
            .AddSingleton<AnomalyHold>();
        services.AddSingleton<GatewayGrants>().AddSingleton<GatewayStores>().AddSingleton<GatewayUploads>().AddSingleton<GatewayUsage>();
        services.AddSingleton<GatewayUsers>().AddSingleton<RefusedDeletes>().TryAddSingleton(new GatewayRules());
        services.AddRunbooks();
        services.AddDataProtection().SetApplicationName("backupdr");
        services.AddOptions<KeyManagementOptions>().Configure<KeyRing>((options, ring) => options.XmlRepository = ring);
        services.AddSingleton<KeyRing>();
        services.AddRateLimiter(CallerLimits.Add);
        OpenApiDocument.Add(services);
        QuartzFiring.Add(services, $"{settings.Node.NameOrMachine}-{Environment.ProcessId}", provider =>
            provider.GetRequiredService<NpgsqlDataSource>());
        if (settings.Node.Is(NodeRole.Loops)) services.AddHostedService<PolicyFirings>().AddHostedService<AlertLoop>()
            .AddHostedService<ControlPlaneLoop>().AddHostedService<AuditAnchorLoop>().AddHostedService<SealingRotationLoop>()
            .AddHostedService<RunbookLoop>();
        services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownPatience);
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(options => UseWireJson(options.SerializerOptions));
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, settings));
    }

    /// <summary>Maps the node's routes.</summary>
    public static void MapScheduler(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<NodeSettings>();
        if (settings.Console.TrustedProxies.Count > 0) app.UseForwardedHeaders(Forwarded(settings.Console.TrustedProxies));
        app.UseMiddleware<ListenerWall>();
        app.UseWhen(http => IsApi(http.Request.Path), api => api.UseMiddleware<Problems>());
        app.UseMiddleware<CallerOfRequest>();
        app.UseRateLimiter();
        app.UseMiddleware<RightsWall>();
        app.MapHealth();
        if (!settings.Node.Is(NodeRole.Api)) return;
        app.MapOpenApi("/api/v1/openapi.json");
        app.MapApi();
        app.MapAgents();
        app.MapGateway();
    }

    static bool IsApi(PathString path) => path.StartsWithSegments("/api", StringComparison.Ordinal)
        || path.StartsWithSegments("/agent", StringComparison.Ordinal)
        || path.StartsWithSegments(GatewayEndpoint.Root, StringComparison.Ordinal);

    static void AddLog(ILoggingBuilder logging, LogOptions options)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(options.Level);
        var others = options.Level > LogLevel.Warning ? options.Level : LogLevel.Warning;
        foreach (var library in (string[])["Microsoft", "System", "Npgsql", "Quartz"]) logging.AddFilter(library, others);
        // it warns that keys are stored in clear; KeyRing seals them
        logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        if (options.Format == LogFormat.Json) logging.AddJsonConsole(console => console.UseUtcTimestamp = true);
        else
        {
            logging.AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
                console.UseUtcTimestamp = true;
            });
        }
    }

    /// <summary>Input is read strictly: what a record requires must be there and may not be null. What else is left out keeps its
    /// default.</summary>
    static void UseWireJson(JsonSerializerOptions options)
    {
        var wire = WireJson.Default.Options;
        options.TypeInfoResolverChain.Insert(0, StoredJson.Resolver);
        options.PropertyNamingPolicy = wire.PropertyNamingPolicy;
        options.DefaultIgnoreCondition = wire.DefaultIgnoreCondition;
        options.MaxDepth = wire.MaxDepth;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
    }

    static void Listen(KestrelServerOptions kestrel, NodeSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = LargestAgentBodyBytes;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        if (!Listeners.TryParse(settings.Console.Url, out var console,
            out var consoleAddress)) throw new InvalidOperationException("Console:Url was not checked.");
        kestrel.Listen(new IPEndPoint(consoleAddress, console.Port), options =>
        {
            if (console.Scheme == "https")
                options.UseHttps(X509Certificate2.CreateFromPemFile(settings.Console.CertificateFile, settings.Console.CertificateKeyFile));
            Mark(options, Listener.Console);
        });
        if (!settings.Node.Is(NodeRole.Api)) return;
        if (!Listeners.TryParse(settings.Agents.Url, out var agents,
            out var agentsAddress)) throw new InvalidOperationException("Agents:Url was not checked.");
        kestrel.Listen(new IPEndPoint(agentsAddress, agents.Port), options =>
        {
            options.UseHttps(options.ApplicationServices.GetRequiredService<AgentsTls>().Options);
            Mark(options, Listener.Agents);
        });
    }

    static ForwardedHeadersOptions Forwarded(IReadOnlyList<string> proxies)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies) options.KnownProxies.Add(IPAddress.Parse(proxy));
        return options;
    }

    static void Mark(ListenOptions options, Listener listener)
    {
        var clock = options.ApplicationServices.GetRequiredService<TimeProvider>();
        options.Use(next => connection =>
        {
            connection.Features.Set(new ListenerFeature(listener, clock.GetTimestamp()));
            return next(connection);
        });
    }

    internal static string PortInUse(NodeSettings settings, string message)
    {
        var setting = message.Contains(new Uri(settings.Agents.Url).Authority, StringComparison.Ordinal)
            ? ("Agents:Url", settings.Agents.Url) : ("Console:Url", settings.Console.Url);
        return $"{setting.Item1} is {setting.Item2}, and port {new Uri(setting.Item2).Port} is in use by another program.\nStop that "
            + $"program, or set {setting.Item1} to a free port.";
    }
}
