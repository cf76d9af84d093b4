using BackupDr.Agent;
using BackupDr.Contracts;

try
{
    return await AgentCommand.Run(args);
}
catch (BackupDrException e)
{
    await Console.Error.WriteLineAsync(e.Hint is null ? e.Message : $"{e.Message}\n  {e.Hint}");
    return 1;
}
