namespace BackupDr.Scheduler;

/// <summary>Stops the node when its standard input ends: the pipe that the process that started it holds.</summary>
public sealed class StdinLifetime(IHostApplicationLifetime lifetime, ILogger<StdinLifetime> log)
{
    /// <summary>Begins to watch.</summary>
    public void Watch()
    {
        var thread = new Thread(() =>
        {
            using var input = Console.OpenStandardInput();
            var buffer = new byte[256];
            while (input.Read(buffer) > 0) { }   // what is written there says nothing; only its end counts
            log.LogInformation("Standard input ended: stopping");
            lifetime.StopApplication();
        })
        { IsBackground = true, Name = "stdin" };
        thread.Start();
    }
}
