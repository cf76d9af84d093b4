using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>The kinds that agents carry out on their hosts.</summary>
static class HostSteps
{
    internal static readonly StepKind[] Kinds = [StepKind.Script, StepKind.ServiceStart, StepKind.ServiceStop, StepKind.ServiceRestart,
        StepKind.Fence, StepKind.DbPromote, StepKind.DbReprotect, StepKind.DbAssert];

    /// <summary>Adds them.</summary>
    public static IServiceCollection AddHostSteps(this IServiceCollection services)
    {
        services.AddSingleton<IHostReach, HostReach>();
        foreach (var kind in Kinds)
            services.AddSingleton<IStepExecutor>(parts => ActivatorUtilities.CreateInstance<HostStepExecutor>(parts, kind));
        return services;
    }
}
