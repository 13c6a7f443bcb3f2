package dev.attention4j.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;

/** Somebody else on a shared machine. */
public final class OtherUser {
    private OtherUser() {}

    /** Makes a file another user's, as if he had planted it; only root can do that, so only root's tests go on. */
    public static void give(Path file) throws IOException {
        UserPrincipal nobody =
                file.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody");
        try {
            Files.setOwner(file, nobody);
        } catch (FileSystemException e) {
            assumeTrue(false, "needs root, to give " + file + " to another user: " + e);
        }
    }
}
