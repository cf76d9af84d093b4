using BackupDr.Cli;

return await CommandLine.Run(args);
