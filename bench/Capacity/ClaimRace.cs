using System.Diagnostics;
using System.Globalization;
using BackupDr.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Quartz;

namespace BackupDr.Capacity;

/// <summary>How many queued runs agents claim and end in a second, beside plain one-shot triggers of Quartz on the same server.</summary>
static class ClaimRace
{
    const int Agents = 200, Threads = 10;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    public static async Task Run(string app, string folder, int count, CancellationToken ct)
    {
        await using var node = await Installation.Start(app, folder, ct);
        await using (var fleet = await Fleet.Join(node, Agents, ct))
        {
            await fleet.Protect(node, ct);
            using var api = node.Api();
            for (var made = 0; made < count;)
                try { made += (await api.RunPolicy(fleet.Policies[made / 10 % fleet.Policies.Count], ct)).Runs.Count; }
                catch (UnavailableException) { await Task.Delay(1000, ct); }   // so many calls a second, and no more
            var (begun, before) = (Stopwatch.GetTimestamp(), node.Used());
            fleet.Begin();
            await Fleet.Quiet(node, Patience, ct);
            Tell($"{Agents} agents claimed, reported and ended runs over HTTPS", count + 2 * Agents, begun, before, node);
        }
        await Triggers(node, count, ct);
    }

    static void Tell(string what, int count, long begun, Usage before, Installation node)
    {
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {count} in {seconds:0.0} s, {count / seconds:0} a second; "
            + $"{Usage.Columns}: {node.Used().Since(before)}"));
    }

    /// <summary>As the node runs it: ten threads, batches of ten, a clustered store, and nothing done in the job.</summary>
    static async Task Triggers(Installation node, int count, CancellationToken ct)
    {
        await node.Ask<int>("create database quartz", ct);
        await using var source = NpgsqlDataSource.Create(node.Database.Replace("Database=backupdr", "Database=quartz",
            StringComparison.Ordinal));
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<System.Data.Common.DbDataSource>(source);
        services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(options => (options.InstanceName, options.InstanceId, options.MaxBatchSize) = ("race", "one", 10));
            quartz.UseDefaultThreadPool(Threads);
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(options => options.UseRegisteredDataSource = true);
                store.ProvisionSchema();
                store.UseClustering(options => options.CheckinInterval = TimeSpan.FromSeconds(2));
            });
        });
        await using var provider = services.BuildServiceProvider();
        var scheduler = await provider.GetRequiredService<ISchedulerFactory>().GetScheduler(ct);
        var job = new JobKey("nothing");
        await scheduler.AddJob(JobBuilder.Create<Nothing>().WithIdentity(job).StoreDurably().Build(),
            new AddJobOptions { Replace = true }, ct);
        for (var at = 0; at < count; at++)
            await scheduler.ScheduleTrigger(TriggerBuilder.Create().WithIdentity($"t{at}").ForJob(job).StartNow().Build(),
                TriggerConflict.Replace, ct);
        var (begun, before) = (Stopwatch.GetTimestamp(), node.Used());
        await scheduler.Start(ct);
        while (Volatile.Read(ref Nothing.Done) < count && Stopwatch.GetElapsedTime(begun) < Patience) await Task.Delay(100, ct);
        Tell("Quartz fired one-shot triggers of a job that does nothing", Nothing.Done, begun, before, node);
        await scheduler.Shutdown(false, ct);
    }

    sealed class Nothing : IJob
    {
        public static int Done;

        public ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref Done);
            return ValueTask.CompletedTask;
        }
    }
}
