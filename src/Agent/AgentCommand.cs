using System.Reflection;
using BackupDr.Agent.Alone;
using BackupDr.Agent.Doctor;
using BackupDr.Agent.Duties;
using BackupDr.Agent.Hooks;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Agent.Requests;
using BackupDr.Agent.Steps;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Assignment;
using BackupDr.Engine;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent;

/// <summary>The program's verbs: join, run, doctor, local, version.</summary>
static class AgentCommand
{
    const string Usage = """
        backupdr-agent join URL [--token TOKEN] [--state DIR] [--mover] [--name NAME]
            [--label KEY=VALUE[,KEY=VALUE…]]
        backupdr-agent run [--state DIR] [--hooks DIR] [--steps DIR] [--stdin-lifetime]
        backupdr-agent doctor [--state DIR]
        backupdr-agent local [--state DIR] [--steps DIR]
        backupdr-agent version
        """;

    public static string Version { get; } = typeof(AgentCommand)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <exception cref="BadInputException">The arguments are off.</exception>
    public static async Task<int> Run(string[] args)
    {
        var (words, options) = Parse(args);
        switch (words)
        {
            case ["version"]:
                Console.WriteLine(Version);
                return 0;
            case ["join", var url]:
                NativeLibraries.Check();
                var host = await Joining.Join(url, Token(options), State(options), options.GetValueOrDefault("name"),
                    options.ContainsKey("mover"), Labels(options), CancellationToken.None);
                Console.WriteLine($"Joined as {host}.");
                return 0;
            case ["doctor"]:
                return await Examine(State(options));
            case ["local"]:
                NativeLibraries.Check();
                using (var input = new StreamReader(Console.OpenStandardInput()))
                    return await LocalSteps.Serve(State(options),
                        Path.GetFullPath(options.GetValueOrDefault("steps") ?? AllowedSteps.Default), input, Console.Out);
            case ["run"]:
                NativeLibraries.Check();
                return await Serve(State(options), Path.GetFullPath(options.GetValueOrDefault("hooks") ?? HookFolder.Default),
                    Path.GetFullPath(options.GetValueOrDefault("steps") ?? AllowedSteps.Default), options.ContainsKey("stdin-lifetime"));
            default:
                throw new BadInputException("arguments", "These arguments are not understood.", Usage);
        }
    }

    /// <summary>Prints what it finds, and what to do; ends with 1 where backups do not work so.</summary>
    static async Task<int> Examine(AgentState state)
    {
        var isWell = await new Checkup(state, TimeProvider.System).Run(finding =>
        {
            var mark = finding.Health switch { Health.Good => "ok", Health.Remark => "note", _ => "BAD" };
            Console.WriteLine($"{mark,-5} {finding.Check,-12} {finding.Text}");
            if (finding.Health != Health.Good && finding.Remedy is { } remedy) Console.WriteLine($"{"",-18} -> {remedy}");
        }, CancellationToken.None);
        return isWell ? 0 : 1;
    }

    static (string[] Words, Dictionary<string, string> Options) Parse(string[] args)
    {
        var (words, options) = (new List<string>(), new Dictionary<string, string>());
        for (var i = 0; i < args.Length; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal)) { words.Add(args[i]); continue; }
            var name = args[i][2..];
            if (name is "mover" or "stdin-lifetime") options[name] = "";
            else if (name is "label" && i + 1 < args.Length)
                options[name] = options.TryGetValue(name, out var before) ? $"{before},{args[++i]}" : args[++i];
            else if (name is "token" or "state" or "name" or "hooks" or "steps" && i + 1 < args.Length) options[name] = args[++i];
            else throw new BadInputException("arguments", $"'{args[i]}' is no option, or its value is missing.", Usage);
        }
        return ([.. words], options);
    }

    /// <summary>The environment is the better place: arguments are shown to everybody on the machine.</summary>
    static string Token(Dictionary<string, string> options) => options.GetValueOrDefault("token")
        ?? Environment.GetEnvironmentVariable("BACKUPDR_JOIN_TOKEN")
        ?? throw new BadInputException("token", "There is no join token: neither --token nor BACKUPDR_JOIN_TOKEN.", Usage);

    static Dictionary<string, string>? Labels(Dictionary<string, string> options)
    {
        if (!options.TryGetValue("label", out var given)) return null;
        var labels = new Dictionary<string, string>();
        foreach (var one in given.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(HostLabels.Parse)) labels[one.Key] = one.Value;
        HostLabels.Check(labels);
        return labels;
    }

    static AgentState State(Dictionary<string, string> options) => new(options.GetValueOrDefault("state") ?? AgentState.DefaultFolder);

    static async Task<int> Serve(AgentState state, string hooks, string steps, bool stdinLifetime)
    {
        using var held = FileLock.TryTake(FilePath.FromText(state.LockFile))
            ?? throw new ConflictException("agent.running", $"Another agent runs with the state folder {state.Folder}.",
                "Stop it, or give this one another --state.");
        using var identity = AgentIdentity.Load(state);
        var journal = new StepJournal(state.StepsFolder, TimeProvider.System);
        journal.Sweep();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            console.UseUtcTimestamp = true;
        });
        builder.Services.AddSingleton(state).AddSingleton(identity).AddSingleton<TimeProvider>(BootClock.Instance)
            .AddSingleton<NodeConnection>();
        builder.Services.AddSingleton<AgentStores>();
        builder.Services.AddSingleton<OpenRepositories>().AddSingleton<RequestAnswers>().AddSingleton<JobRunner>()
            .AddSingleton<Inventory>().AddSingleton(new HookFolder(hooks))
            .AddSingleton(new AllowedSteps(steps)).AddSingleton(journal).AddSingleton<StepRunner>();
        builder.Services.AddSingleton<AlonePlans>().AddSingleton<AloneLedger>().AddSingleton<ItemTurns>().AddSingleton<Meeting>()
            .AddSingleton(new AloneQueue(state.AloneFolder)).AddSingleton(new Contact(state, BootClock.Instance, TimeProvider.System))
            .AddSingleton<AloneLoop>().AddSingleton<WorkAlone>().AddHostedService(provider => provider.GetRequiredService<AloneLoop>());
        builder.Services.AddHostedService<LeaseLoop>().AddHostedService<DutyLoop>().AddHostedService<CertificateRenewal>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));
        using var host = builder.Build();
        await host.StartAsync();
        if (stdinLifetime) StopWithStdin(host.Services.GetRequiredService<IHostApplicationLifetime>());
        await host.WaitForShutdownAsync();
        return 0;
    }

    /// <summary>The pipe is held by the program that started us; its end means that this program ended, however it ended.</summary>
    static void StopWithStdin(IHostApplicationLifetime lifetime) => _ = Task.Factory.StartNew(() =>
    {
        using var stdin = Console.OpenStandardInput();
        var buffer = new byte[256];
        while (stdin.Read(buffer) > 0) continue;
        lifetime.StopApplication();
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
