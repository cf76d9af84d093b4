namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>The kinds of steps that a node carries out by itself.</summary>
public static class NodeSteps
{
    /// <summary>Adds them, with what they keep and name.</summary>
    public static IServiceCollection AddNodeSteps(this IServiceCollection services) => services
        .AddSingleton<StepSecrets>().AddSingleton<IStepSecrets>(provider => provider.GetRequiredService<StepSecrets>())
        .AddSingleton<IStepNotes, StepNotes>()
        .AddSingleton<IStepExecutor, HealthWait>()
        .AddSingleton<IStepExecutor, HttpCall>()
        .AddSingleton<IStepExecutor, DnsChange>()
        .AddSingleton<IStepExecutor, LbSwitch>()
        .AddSingleton<IStepExecutor, Notify>();
}
