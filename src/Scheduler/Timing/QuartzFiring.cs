using System.Collections.Concurrent;
using System.Data.Common;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using Quartz;

namespace BackupDr.Scheduler.Timing;

/// <summary>Fires by Quartz.NET with its clustered store in our PostgreSQL. Every node runs one; a trigger fires on one of them.</summary>
/// <remarks>Source: docs/decisions, "Quartz in Hangfire's role". Misfires run once at once; another node takes over what a dead one was
/// firing.</remarks>
public sealed class QuartzFiring(ISchedulerFactory factory, TimeProvider clock) : IFiringEngine
{
    const string Group = "firing";
    static readonly JobKey Job = new("fire", Group);
    static readonly TimeSpan BetweenStarts = TimeSpan.FromSeconds(1);

    /// <summary>Adds Quartz with the store to a node.</summary>
    /// <param name="services">The node's.</param>
    /// <param name="node">Unique among the nodes.</param>
    /// <param name="source">The database.</param>
    public static void Add(IServiceCollection services, string node, Func<IServiceProvider, NpgsqlDataSource> source)
    {
        services.TryAddSingleton<DbDataSource>(provider => source(provider));
        services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(options =>
            {
                options.InstanceName = "backupdr";
                options.InstanceId = node;
                options.MaxBatchSize = 10;
                options.IdleWaitTime = TimeSpan.FromSeconds(2);
            });
            quartz.UseDefaultThreadPool(10);
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(options => options.UseRegisteredDataSource = true);
                store.ProvisionSchema();
                store.ConfigureStore(options =>
                {
                    options.TablePrefix = "qrtz_";
                    options.MisfireThreshold = TimeSpan.FromSeconds(60);
                    options.DbRetryInterval = TimeSpan.FromSeconds(1);
                });
                store.UseClustering(options =>
                {
                    options.CheckinInterval = TimeSpan.FromSeconds(2);
                    options.CheckinMisfireThreshold = TimeSpan.FromSeconds(3);
                });
            });
        });
        services.AddTransient<FireJob>();
        services.AddSingleton<FiringTarget>();
        services.AddSingleton<IFiringEngine, QuartzFiring>();
    }

    /// <inheritdoc/>
    public async Task ScheduleOrReplace(string key, ScheduleSpec schedule, CancellationToken ct)
    {
        var scheduler = await factory.GetScheduler(ct);
        await EnsureJob(scheduler, ct);
        var identity = new TriggerKey(key, Group);
        var text = $"{schedule.Every.Ticks}|{schedule.Cron}|{schedule.TimeZone}";
        if (await IsScheduled(scheduler, identity, text, ct)) return;
        var trigger = TriggerBuilder.Create(clock).WithIdentity(identity).ForJob(Job).UsingJobData(FireJob.ScheduleText, text);
        if (schedule.Cron is not null)
            trigger = trigger.WithSchedule(CronScheduleBuilder.Create(schedule.Cron, CronFormat.Unix).InTimeZone(FiringTimes.Zone(schedule))
                .WithMisfireInstruction(CronTriggerMisfireInstruction.FireAndProceed));
        else
            trigger = trigger.StartAt(DueTimes.Next(schedule.Every, clock.GetUtcNow()))
                .UsingJobData(FireJob.EveryTicks, schedule.Every.Ticks)
                .WithSchedule(SimpleScheduleBuilder.Create().WithInterval(schedule.Every).RepeatForever()
                    .WithMisfireInstruction(SimpleTriggerMisfireInstruction.FireNow));
        await scheduler.ScheduleTrigger(trigger.Build(), TriggerConflict.Replace, ct);
    }

    /// <summary>Whether the trigger stands already. Replacing it would lose a time that came while no node ran and is still to be made up
    /// for.</summary>
    static async Task<bool> IsScheduled(IScheduler scheduler, TriggerKey identity, string text, CancellationToken ct)
        => await scheduler.GetTrigger(identity, ct) is { } existing && existing.JobDataMap.TryGetValue(FireJob.ScheduleText, out var known)
            && known as string == text
            && await scheduler.GetTriggerState(identity, ct) != TriggerState.Error;

    static async Task EnsureJob(IScheduler scheduler, CancellationToken ct)
        => await scheduler.AddJob(JobBuilder.Create<FireJob>().WithIdentity(Job).StoreDurably().RequestRecovery().Build(),
            new AddJobOptions { Replace = true }, ct);

    /// <inheritdoc/>
    public async Task Remove(string key, CancellationToken ct)
    {
        var scheduler = await factory.GetScheduler(ct);
        await scheduler.UnscheduleJob(new TriggerKey(key, Group), ct);
    }

    /// <inheritdoc/>
    public async Task Run(Func<Firing, CancellationToken, Task> fire, CancellationToken ct)
    {
        IScheduler? scheduler = null;
        try
        {
            while (true)
            {
                try
                {
                    // Not given up half-way: one that exists has a thread, which would keep the process from ending.
                    scheduler ??= await factory.GetScheduler(CancellationToken.None);
                    FiringTarget.Set(scheduler, fire);
                    await scheduler.Start(ct);
                    break;
                }
                // The database is away at the very start: the other loops say it, and this one comes when it is back.
                catch (Exception e) when (e is SchedulerException or NpgsqlException) { await Task.Delay(BetweenStarts, clock, ct); }
            }
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }   // the node stops, perhaps before it began
        finally
        {
            if (scheduler is not null) await scheduler.Shutdown(true, CancellationToken.None);
        }
    }
}

/// <summary>Where the firings of a scheduler in this process go.</summary>
sealed class FiringTarget
{
    static readonly ConcurrentDictionary<string, Func<Firing, CancellationToken, Task>> Targets = new(StringComparer.Ordinal);

    public static void Set(IScheduler scheduler, Func<Firing, CancellationToken, Task> fire) => Targets[scheduler.SchedulerInstanceId] =
        fire;

    public static Task Fire(IScheduler scheduler, Firing firing, CancellationToken ct)
        => Targets.TryGetValue(scheduler.SchedulerInstanceId, out var fire) ? fire(firing, ct)
            : throw new InvalidOperationException("A firing came before the engine ran.");
}

/// <summary>The one job of the store: hands its trigger's key and nominal time on.</summary>
sealed class FireJob : IJob
{
    public const string EveryTicks = "every";
    public const string ScheduleText = "schedule";

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken)
    {
        var at = context.ScheduledFireTimeUtc ?? context.FireTimeUtc;
        // An interval's nominal times are its grid, whenever a misfire made it run.
        if (context.MergedJobDataMap.TryGetValue(EveryTicks, out var ticks) && ticks is not null)
            at = DueTimes.Previous(TimeSpan.FromTicks(Convert.ToInt64(ticks, System.Globalization.CultureInfo.InvariantCulture)), at);
        await FiringTarget.Fire(context.Scheduler, new Firing(context.Recovering ? context.RecoveringTriggerKey!.Name
            : context.Trigger.Key.Name, at), cancellationToken);
    }
}
