using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>The parts of a node that keep and execute runbooks.</summary>
static class RunbookParts
{
    /// <summary>Adds them.</summary>
    public static IServiceCollection AddRunbooks(this IServiceCollection services) => services
        .AddSingleton<RunbookGraphs>().AddSingleton<StepExecutors>().AddSingleton<TakeEvents>().AddSingleton<ActivityTable>()
        .AddSingleton<CarryOut>().AddSingleton<ActivityWork>().AddSingleton<ExecutionStart>().AddSingleton<Readiness>()
        .AddSingleton<SplitBrains>().AddSingleton<ChildExecutions>().AddSingleton<RehearsalsDue>().AddSingleton<RestoreItem>()
        .AddSingleton<IStepExecutor, RestoreDatabase>().AddSingleton<IStepExecutor, RestoreFiles>()
        .AddSingleton<IStepExecutor, ChildRunbook>().AddHostSteps().AddNodeSteps();
}
