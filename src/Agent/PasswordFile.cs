using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Agent;

/// <summary>A file of this host whose first line is the password of a database's user.</summary>
static class PasswordFile
{
    const int Longest = 4096;

    /// <exception cref="BadInputException">It cannot be read, or is too long.</exception>
    public static Secret Read(string file)
    {
        try
        {
            if (new FileInfo(file).Length > Longest)
                throw new BadInputException("passwordFile", $"{file} is too long for a password.", "Its first line is the password.");
            return Secret.FromText(File.ReadLines(file, Encoding.UTF8).FirstOrDefault() ?? "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("passwordFile", $"The password file {file} cannot be read: {e.Message}",
                "Write the user's password into it on the agent's host, readable by the agent alone.");
        }
    }
}
